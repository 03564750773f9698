// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_options.hpp"

#include <gtest/gtest.h>

#include <array>

namespace fieldpost {
namespace {

bool open_at(const MaintenanceWindow& window, const char* time) { return is_open(window, *from_rfc3339(time)); }

TEST(JobOptions, WithoutHoursAndDaysItIsAlwaysOpen) {
  const auto window = maintenance_window("", {}, false);
  ASSERT_TRUE(window);
  EXPECT_TRUE(open_at(*window, "2026-11-21T00:00:00Z"));
  EXPECT_TRUE(open_at(*window, "2026-11-21T23:59:59Z"));
}

TEST(JobOptions, OpensAndClosesOnTheMinute) {
  const auto window = maintenance_window("02:00-04:30", {}, false);
  ASSERT_TRUE(window);
  EXPECT_FALSE(open_at(*window, "2026-11-21T01:59:59Z"));
  EXPECT_TRUE(open_at(*window, "2026-11-21T02:00:00Z"));
  EXPECT_TRUE(open_at(*window, "2026-11-21T04:29:59Z"));
  EXPECT_FALSE(open_at(*window, "2026-11-21T04:30:00Z"));
}

TEST(JobOptions, OverMidnightTheDayIsThatOnWhichItBegan) {
  const auto window = maintenance_window("22:00-05:00", {"sat"}, false);  // 2026-11-21 is a Saturday
  ASSERT_TRUE(window);
  EXPECT_FALSE(open_at(*window, "2026-11-21T04:00:00Z"));
  EXPECT_TRUE(open_at(*window, "2026-11-21T22:00:00Z"));
  EXPECT_TRUE(open_at(*window, "2026-11-22T04:59:00Z"));
  EXPECT_FALSE(open_at(*window, "2026-11-22T22:00:00Z"));
  EXPECT_TRUE(maintenance_window("20:00-24:00", {}, false));
}

TEST(JobOptions, SaturdayNightReachesIntoSunday) {
  const auto window = maintenance_window("23:00-01:00", {"sat"}, false);
  EXPECT_TRUE(open_at(*window, "2026-11-22T00:30:00Z"));
  EXPECT_FALSE(open_at(*window, "2026-11-23T00:30:00Z"));
}

TEST(JobOptions, LocalHoursAreThoseOfTheHost) {
  const auto window = maintenance_window("02:00-04:00", {}, true);
  ::setenv("TZ", "XST-5", 1);  // five hours east of Greenwich
  ::tzset();
  EXPECT_TRUE(open_at(*window, "2026-11-20T21:30:00Z"));
  EXPECT_FALSE(open_at(*window, "2026-11-21T02:30:00Z"));
  ::unsetenv("TZ");
  ::tzset();
}

TEST(JobOptions, RefusesWhatIsNoWindow) {
  for (const char* hours : {"2:00-4:00", "02:00", "02:00-02:00", "25:00-26:00", "02:60-04:00", "24:00-01:00", "02:00+04:00", "02:00-04:00 "}) {
    EXPECT_FALSE(maintenance_window(hours, {}, false)) << hours;
  }
  EXPECT_FALSE(maintenance_window("", {"saturday"}, false));
}

TEST(JobOptions, WavesAreEvenAndStay) {
  std::array<int, 10> waves{};
  for (int i = 0; i < 10'000; ++i) ++waves[wave_of("gateway-" + std::to_string(i), 10)];
  for (const int count : waves) EXPECT_NEAR(count, 1'000, 150);
  EXPECT_EQ(wave_of("gw-1", 10), wave_of("gw-1", 10));
  EXPECT_EQ(wave_of("gw-1", 1), 0U);
}

}  // namespace
}  // namespace fieldpost
