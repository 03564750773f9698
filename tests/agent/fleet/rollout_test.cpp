// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/rollout.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'793'491'200 * kSecond;

/// Devices told in so many seconds by a look each second, as the server looks.
std::int64_t told_in(const RolloutOptions& options, std::int64_t seconds, std::int64_t devices = 100'000) {
  RolloutCounts counts;
  counts.waiting = devices;
  std::int64_t next = 0;
  for (std::int64_t second = 0; second < seconds; ++second) {
    const Release due = release_due(options, counts, next, kStart + second * kSecond);
    counts.waiting -= due.devices;
    counts.queued += due.devices;
    next = due.next_us;
  }
  return counts.queued;
}

TEST(Rollout, TellsSoManyAMinuteFromTheFirstSecondOn) {
  EXPECT_EQ(told_in({.per_minute = 60}, 1), 1);
  EXPECT_EQ(told_in({.per_minute = 60}, 60), 60);
  EXPECT_EQ(told_in({.per_minute = 1}, 60), 1);
  EXPECT_EQ(told_in({.per_minute = 1}, 61), 2);
  EXPECT_EQ(told_in({.per_minute = 7}, 600), 70);
  EXPECT_NEAR(static_cast<double>(told_in({.per_minute = 90}, 600)), 900, 1);
  EXPECT_NEAR(static_cast<double>(told_in({.per_minute = 1000}, 60)), 1000, 17);
  EXPECT_EQ(told_in({.per_minute = 1000}, 60, 12), 12);
}

TEST(Rollout, DoesNotMakeUpForAnOutage) {
  RolloutCounts counts;
  counts.waiting = 1000;
  const Release first = release_due({.per_minute = 60}, counts, 0, kStart);
  const Release later = release_due({.per_minute = 60}, counts, first.next_us, kStart + 3600 * kSecond);
  EXPECT_LE(later.devices, 2);
}

TEST(Rollout, ToleratesAClockThatWasSetBack) {
  RolloutCounts counts;
  counts.waiting = 1000;
  const Release before = release_due({.per_minute = 60}, counts, 0, kStart);
  const Release after = release_due({.per_minute = 60}, counts, before.next_us, kStart - 86'400 * kSecond);
  EXPECT_EQ(after.devices, 0);
  EXPECT_EQ(release_due({.per_minute = 60}, counts, after.next_us, kStart - 86'399 * kSecond).devices, 1);
}

TEST(Rollout, GrowsWithThoseThatSucceededOrWereToldUpToItsMaximum) {
  RolloutOptions options{.per_minute = 10, .per_minute_max = 100, .increment_percent = 200, .increment_after = 5};
  RolloutCounts counts;
  counts.queued = 50;
  EXPECT_EQ(rollout_rate(options, counts), 10);
  counts.succeeded = 4;
  EXPECT_EQ(rollout_rate(options, counts), 10);
  counts.succeeded = 5;
  EXPECT_EQ(rollout_rate(options, counts), 20);
  counts.succeeded = 16;
  EXPECT_EQ(rollout_rate(options, counts), 80);
  counts.succeeded = 20;
  EXPECT_EQ(rollout_rate(options, counts), 100);
  counts.succeeded = 1'000'000'000;
  EXPECT_EQ(rollout_rate(options, counts), 100);
  counts.succeeded = 0;
  options.increment_by_success = false;
  counts.queued = 10;
  EXPECT_EQ(rollout_rate(options, counts), 40);
  options.increment_percent = 150;
  counts.queued = 5;
  EXPECT_EQ(rollout_rate(options, counts), 15);
}

TEST(Rollout, StopsAtItsThresholdAndNotBefore) {
  const RolloutOptions options{.abort_hundredths = 1000, .abort_min = 10};
  RolloutCounts counts;
  counts.failed = 9;
  EXPECT_FALSE(threshold_reached(options, counts)) << "too few have finished";
  counts.succeeded = 1;
  EXPECT_TRUE(threshold_reached(options, counts));
  counts.succeeded = 82;
  EXPECT_FALSE(threshold_reached(options, counts)) << "9 of 91";
  counts.succeeded = 81;
  EXPECT_TRUE(threshold_reached(options, counts)) << "9 of 90";
  counts.canceled = 1000;
  EXPECT_TRUE(threshold_reached(options, counts)) << "who was cancelled did not finish";
  counts.failed = 3;
  counts.rejected = 3;
  counts.timed_out = 3;
  EXPECT_TRUE(threshold_reached(options, counts)) << "each of the three is a failure";
  EXPECT_FALSE(threshold_reached({.abort_hundredths = 0}, counts)) << "never stopped";
}

TEST(Rollout, ReadsFractionsOfAPercent) {
  RolloutCounts counts;
  counts.failed = 1;
  counts.succeeded = 999;
  EXPECT_TRUE(threshold_reached({.abort_hundredths = 10}, counts));
  EXPECT_FALSE(threshold_reached({.abort_hundredths = 11}, counts));
}

}  // namespace
}  // namespace fieldpost
