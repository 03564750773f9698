// SPDX-License-Identifier: Apache-2.0
// What filter options may say; the configuration turns the sentences into file, line and key.
#include "agent/filter/filter_options.hpp"

#include <cmath>

namespace fieldpost {
namespace {

Error refused(const char* sentence) { return Error{ErrorKind::OutOfRange, sentence}; }

}  // namespace

Result<void> check(const FilterOptions& options) {
  if (!std::isfinite(options.scale) || options.scale == 0) {
    return refused("scale must be a finite number other than 0");
  }
  if (!std::isfinite(options.offset)) return refused("offset must be a finite number");
  if (const auto& range = options.valid_range; range && !(range->min <= range->max)) {
    return refused("valid_range must have min not above max");
  }
  if (const auto& deadband = options.deadband) {
    if (!(deadband->absolute >= 0) || !std::isfinite(deadband->absolute)) {
      return refused("deadband absolute must be 0 or more");
    }
    if (!(deadband->relative >= 0) || !std::isfinite(deadband->relative)) {
      return refused("deadband relative must be 0 or more");
    }
    if (deadband->heartbeat < nanoseconds{0}) return refused("heartbeat must be 0 or more");
  }
  if (options.interval_min < nanoseconds{0}) return refused("interval_min must be 0 or more");
  return {};
}

}  // namespace fieldpost
