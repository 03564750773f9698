// SPDX-License-Identifier: Apache-2.0
// How one series is condensed. The default passes its samples on as they are.
#pragma once

#include <vector>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct AggregateOptions {
  static constexpr std::size_t kQuantilesMax = 8;

  /// Length of the tumbling window; 0: no window, samples pass through.
  nanoseconds window{0};

  /// Ranks asked for, in (0, 1): {0.5, 0.95, 0.99}. Nothing is kept for series without any.
  std::vector<double> quantiles{};
};

/// Errors: OutOfRange, naming the member and what is allowed
Result<void> check(const AggregateOptions& options);

}  // namespace fieldpost
