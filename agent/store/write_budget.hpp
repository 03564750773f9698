// SPDX-License-Identifier: Apache-2.0
// How seldom to flush so that what is written to the disk in a day stays inside a budget.
#pragma once

#include <algorithm>
#include <cstdint>

#include "agent/store/store_options.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

class WriteBudget {
 public:
  /// `options` are lent and outlive it.
  WriteBudget(const StoreOptions& options, BootTime now) : options_{options}, saved_at_{now}, saved_{saved_max()} {}

  /// What is left: more as time passes, less by what was written since the last call.
  void account(BootTime now, std::int64_t written_since_start) {
    const double days = std::chrono::duration<double>(now - saved_at_).count() / 86'400;
    saved_at_ = now;
    saved_ += days * static_cast<double>(options_.flash_bytes_per_day) - static_cast<double>(written_since_start - accounted_);
    accounted_ = written_since_start;
    saved_ = std::clamp(saved_, 0.0, saved_max());
  }

  bool is_short() const { return options_.flash_bytes_per_day > 0 && saved_ < saved_max() / 2; }

  /// Stretched as what is saved runs out: between half of it and nothing from as configured to the most.
  nanoseconds flush_interval() const {
    if (!is_short()) return options_.flush_interval;
    const nanoseconds more = std::max<nanoseconds>(options_.flush_interval_max - options_.flush_interval, nanoseconds{0});
    const double missing = 1 - saved_ / (saved_max() / 2);
    return options_.flush_interval + nanoseconds{static_cast<std::int64_t>(missing * static_cast<double>(more.count()))};
  }

  /// Ticks come at whole intervals, so a stretched one is late by one of them at most.
  nanoseconds promised() const { return is_short() ? flush_interval() + options_.flush_interval : options_.flush_interval; }

 private:
  /// An hour's worth may be saved up for a burst.
  double saved_max() const { return static_cast<double>(options_.flash_bytes_per_day) / 24; }

  const StoreOptions& options_;
  BootTime saved_at_;
  double saved_;
  std::int64_t accounted_ = 0;
};

}  // namespace fieldpost
