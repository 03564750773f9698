// SPDX-License-Identifier: Apache-2.0
// The samples that the store and its peers are given: the same for all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

constexpr int kSeries = 500;
constexpr int kTicksAFlush = 10;  // at 1 s

/// 350 counters (40 % of them nearly idle), 100 sensors of two decimals, 50 whole gauges.
class Feed {
 public:
  /// `changing`: the share of samples that differ from the one before.
  Feed(SeriesTable& table, double changing);

  /// One tick of all series; `keep` is told which samples changed.
  void tick(BootTime now, const std::function<void(const Sample&, bool changed)>& take);

 private:
  std::mt19937_64 chance_{20'261'120};
  double changing_;
  SeriesId ids_[kSeries];
  std::int64_t counters_[kSeries];
  int sensors_[kSeries];
};

}  // namespace fieldpost
