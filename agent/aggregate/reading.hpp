// SPDX-License-Identifier: Apache-2.0
// What leaves the aggregate stage: a sample as it was, or the summary of a window of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "hal/sample.hpp"

namespace fieldpost {

struct Quantile {
  double rank;   ///< 0.5, 0.95, 0.99
  double value;
};

/// One window of one series. Times are event times: the samples' own.
struct Summary {
  SeriesId series{};
  BootTime start;  ///< inclusive
  BootTime end;    ///< exclusive
  std::uint32_t count = 0;
  Value min;
  Value max;
  Value last;
  double sum = 0;
  double stddev = 0;  ///< of the population; 0 for one sample
  /// As asked for: order statistics (nearest rank), exact up to OrderStatistics::kExactMax samples,
  /// within one percent past it.
  std::vector<Quantile> quantiles;
  /// Counters only: what was added in the window, correct over wraps and resets. The step from the
  /// last sample of the window before belongs to this window. Nothing if there was no step to see:
  /// the very first sample of a counter tells no increase.
  std::optional<double> increase;
  std::uint32_t resets = 0;          ///< counters only: how often it started anew
  Quality quality = Quality::good;   ///< the worst of its samples

  double mean() const noexcept { return count == 0 ? 0 : sum / count; }
};

/// Whoever receives readings: the rules in the agent, a list in a test.
class ReadingSink {
 public:
  virtual ~ReadingSink() = default;
  virtual void accept(const Sample& sample) = 0;
  virtual void accept(const Summary& summary) = 0;
};

}  // namespace fieldpost
