// SPDX-License-Identifier: Apache-2.0
// What aggregate options may say; the configuration turns the sentences into file, line and key.
#include "agent/aggregate/aggregate_options.hpp"

#include <string>

namespace fieldpost {

Result<void> check(const AggregateOptions& options) {
  if (options.window < nanoseconds{0}) {
    return Error{ErrorKind::OutOfRange, "window must be 0 or more"};
  }
  if (options.quantiles.size() > AggregateOptions::kQuantilesMax) {
    return Error{ErrorKind::OutOfRange, "quantiles must be at most " +
                                            std::to_string(AggregateOptions::kQuantilesMax)};
  }
  for (const double rank : options.quantiles) {
    if (!(rank > 0 && rank < 1)) {
      return Error{ErrorKind::OutOfRange, "quantiles must lie between 0 and 1, like 0.95"};
    }
  }
  return {};
}

}  // namespace fieldpost
