// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/rollout.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

constexpr std::int64_t kMinute = 60'000'000;
/// What was due this long ago and was not asked for is lost: so much may come at once.
constexpr std::int64_t kCatchUp = 1'500'000;

}  // namespace

std::int64_t rollout_rate(const RolloutOptions& options, const RolloutCounts& counts) noexcept {
  if (options.increment_after <= 0 || options.increment_percent <= 100) return options.per_minute;
  std::int64_t steps = (options.increment_by_success ? counts.succeeded : counts.told()) / options.increment_after;
  std::int64_t hundredths = options.per_minute * 100;
  for (; steps > 0 && hundredths < options.per_minute_max * 100; --steps) hundredths = hundredths * options.increment_percent / 100;
  return std::min(hundredths / 100, options.per_minute_max);
}

Release release_due(const RolloutOptions& options, const RolloutCounts& counts, std::int64_t next_us, std::int64_t now_us) noexcept {
  const std::int64_t pause = kMinute / std::max<std::int64_t>(rollout_rate(options, counts), 1);
  if (next_us == 0) next_us = now_us;
  // Too far ahead: the rate was lower, or the clock was set back.
  next_us = std::clamp(next_us, now_us - kCatchUp, now_us + pause);
  if (next_us > now_us || counts.waiting == 0) return {0, next_us};
  const std::int64_t due = std::min((now_us - next_us) / pause + 1, counts.waiting);
  return {due, next_us + due * pause};
}

bool threshold_reached(const RolloutOptions& options, const RolloutCounts& counts) noexcept {
  return options.abort_hundredths > 0 && counts.finished() >= std::max<std::int64_t>(options.abort_min, 1) &&
         counts.bad() * 10'000 >= options.abort_hundredths * counts.finished();
}

}  // namespace fieldpost
