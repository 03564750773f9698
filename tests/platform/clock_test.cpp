// SPDX-License-Identifier: Apache-2.0
// The machine's clocks, and RFC 3339 both ways.
#include "platform/clock.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

UtcTime at(std::int64_t whole, std::int64_t nanos = 0) {
  return UtcTime{seconds{whole} + nanoseconds{nanos}};
}

TEST(SystemClock, BootTimeGoesForward) {
  const SystemClock clock;
  const BootTime first = clock.now();
  const BootTime second = clock.now();
  EXPECT_GT(first.time_since_epoch().count(), 0);
  EXPECT_GE(second, first);
}

TEST(SystemClock, UtcIsAfterThisFileWasWritten) {
  const SystemClock clock;
  const UtcReading reading = clock.utc();
  EXPECT_GT(reading.time, at(1'760'000'000));
  EXPECT_GE(reading.error_bound.count(), 0);
}

TEST(SystemClock, BootIdHasTheFormOfAUuidAndStays) {
  const SystemClock clock;
  const BootId id = clock.boot_id();
  ASSERT_EQ(id.size(), 36U);
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      EXPECT_EQ(id[i], '-');
    } else {
      EXPECT_NE(std::string{"0123456789abcdef"}.find(id[i]), std::string::npos) << id;
    }
  }
  EXPECT_EQ(clock.boot_id(), id);
}

TEST(SystemClock, ReadsBothClocksAtOneInstant) {
  const SystemClock clock;
  const BootTime before = clock.now();
  const UtcReading reading = clock.utc();
  EXPECT_GE(reading.at, before);
  EXPECT_LE(reading.at, clock.now());
}

TEST(Clock, ShowsNoUtcBelowItsFloorWhileNobodyVouchesForIt) {
  ManualClock clock{at(1'000)};
  clock.set_utc({at(5), false, {}});
  EXPECT_EQ(clock.utc_above_floor().time, at(1'000));
  clock.note_floor(seconds{9'000} - clock.now().time_since_epoch());
  const auto uncertain = [&clock] { return clock.now().time_since_epoch() / Clock::kDriftOneIn; };
  EXPECT_EQ(clock.floor(), at(9'000) - uncertain());
  clock.advance(seconds{50});  // it goes with boot time
  EXPECT_EQ(clock.utc_above_floor().time, at(9'050) - uncertain());
  clock.set_utc({at(10'000), false, {}});
  EXPECT_EQ(clock.utc_above_floor().time, at(10'000));
  clock.set_utc({at(1'005), true, {}});  // synchronised: believed
  EXPECT_EQ(clock.utc_above_floor().time, at(1'005));
  clock.set_utc({at(5), true, {}});  // but not before the program was built
  EXPECT_EQ(clock.utc_above_floor().time, at(1'000));
}

TEST(Clock, TakesALowerFloorBackButNotBelowTheLowestInstant) {
  ManualClock clock{at(1'000)};
  clock.note_floor(seconds{1LL << 31});
  clock.note_floor(seconds{-5'000});
  EXPECT_EQ(clock.floor(), at(1'000));
}

TEST(Rfc3339, WritesMillisecondsInUtc) {
  EXPECT_EQ(to_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(at(1'795'182'507, 123'999'999)), "2026-11-20T13:48:27.123Z");
  EXPECT_EQ(to_rfc3339(at(-1, 999'000'000)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(at(951'782'400)), "2000-02-29T00:00:00.000Z");
}

TEST(Rfc3339, ReadsFractionsOfOneToNineDigits) {
  EXPECT_EQ(from_rfc3339("2026-11-20T13:48:27Z").value(), at(1'795'182'507));
  EXPECT_EQ(from_rfc3339("2026-11-20T13:48:27.5Z").value(), at(1'795'182'507, 500'000'000));
  EXPECT_EQ(from_rfc3339("2026-11-20T13:48:27.123456789Z").value(), at(1'795'182'507, 123'456'789));
  EXPECT_EQ(from_rfc3339("2026-11-20T13:48:27.000000001Z").value(), at(1'795'182'507, 1));
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  const std::vector<std::string> wrong{
      "",
      "2026-11-20",
      "2026-11-20T13:48:27",
      "2026-11-20 13:48:27Z",
      "2026-11-20T13:48:27z",
      "2026-11-20T13:48:27+00:00",
      "2026-11-20T13:48:27.Z",
      "2026-11-20T13:48:27.1234567890Z",
      "2026-11-20T13:48:27,1Z",
      "2026-13-20T13:48:27Z",
      "2026-02-29T13:48:27Z",
      "2026-00-10T13:48:27Z",
      "2026-11-20T24:00:00Z",
      "2026-11-20T23:60:00Z",
      "2026-11-20T23:59:60Z",
      "2026-11-2OT13:48:27Z",
      "+026-11-20T13:48:27Z",
      "2026-11-20T13:48:27.12 Z",
      "1677-12-31T23:59:59Z",
      "2262-01-01T00:00:00Z",
  };
  for (const auto& text : wrong) {
    const auto time = from_rfc3339(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().kind(), ErrorKind::Malformed) << text;
  }
}

TEST(Rfc3339, TakesTheFirstAndLastYearItCanHold) {
  EXPECT_EQ(to_rfc3339(from_rfc3339("1678-01-01T00:00:00Z").value()), "1678-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(from_rfc3339("2261-12-31T23:59:59.999Z").value()), "2261-12-31T23:59:59.999Z");
}

TEST(Rfc3339, ReadsBackWhatItWrote) {
  const auto seed = std::random_device{}();
  std::mt19937_64 random{seed};
  std::uniform_int_distribution<std::int64_t> milli{-9'000'000'000'000, 9'000'000'000'000};
  for (int i = 0; i < 2000; ++i) {
    const UtcTime time{milliseconds{milli(random)}};
    EXPECT_EQ(from_rfc3339(to_rfc3339(time)).value(), time) << "seed " << seed;
  }
}

}  // namespace
}  // namespace fieldpost
