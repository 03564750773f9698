// SPDX-License-Identifier: Apache-2.0
// How fast a job goes to its devices, and when it is stopped: pure functions of options, counts and time, with the words
// and limits of AWS IoT Jobs (rollout and abort configuration).
#pragma once

#include <cstdint>

namespace fieldpost {

struct RolloutOptions {
  std::int64_t per_minute = 1000;      ///< devices told in a minute; of a growing rate, the first one
  std::int64_t per_minute_max = 1000;  ///< of a growing rate
  std::int64_t increment_percent = 100;  ///< each step is so much of the one before; 100: the rate is constant
  std::int64_t increment_after = 0;    ///< one more step for each so many devices; 0: the rate is constant
  bool increment_by_success = true;    ///< count those that succeeded, or else those that were told
  std::int64_t abort_hundredths = 0;   ///< of a percent of the finished; 0: never stopped
  std::int64_t abort_min = 1;          ///< so many must have finished before the percentage is believed
};

/// Of one job: devices by what became of them.
struct RolloutCounts {
  std::int64_t waiting = 0;  ///< not told yet
  std::int64_t queued = 0;
  std::int64_t in_progress = 0;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  std::int64_t rejected = 0;
  std::int64_t timed_out = 0;
  std::int64_t canceled = 0;

  std::int64_t bad() const noexcept { return failed + rejected + timed_out; }
  /// By the device's own doing: who was cancelled says nothing of the job.
  std::int64_t finished() const noexcept { return succeeded + bad(); }
  std::int64_t told() const noexcept { return queued + in_progress + finished(); }
  std::int64_t all() const noexcept { return waiting + told() + canceled; }
};

/// Devices a minute, now.
std::int64_t rollout_rate(const RolloutOptions& options, const RolloutCounts& counts) noexcept;

struct Release {
  std::int64_t devices = 0;  ///< to be told now
  std::int64_t next_us = 0;  ///< microseconds of UTC at which the next one is due
};

/// `next_us`: what the last call gave; 0 at the very start. What an outage of the server kept back is not made up for,
/// and a clock that was set back stops nothing.
Release release_due(const RolloutOptions& options, const RolloutCounts& counts, std::int64_t next_us, std::int64_t now_us) noexcept;

bool threshold_reached(const RolloutOptions& options, const RolloutCounts& counts) noexcept;

}  // namespace fieldpost
