// SPDX-License-Identifier: Apache-2.0
// Which UTC a stamp means: boots that were synchronised, late, stepped, or never.
#include "agent/store/boot_table.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr UtcTime kNoon{seconds{1'767'268'800}};  // 2026-01-01T12:00:00Z
const BootId kFirst = "00000000-0000-4000-8000-000000000001";
const BootId kSecond = "00000000-0000-4000-8000-000000000002";
const BootId kThird = "00000000-0000-4000-8000-000000000003";

BootTime at(nanoseconds since_boot) { return BootTime{since_boot}; }
UtcReading synchronised(UtcTime time, nanoseconds error = milliseconds{5}) { return {time, true, error}; }
UtcReading unsynchronised(UtcTime time) { return {time, false, {}}; }

TEST(BootTable, GivesTheUtcOfASynchronisedBoot) {
  BootTable table;
  EXPECT_TRUE(table.observe(kFirst, at(minutes{10}), synchronised(kNoon)));
  const auto utc = table.utc_of(kFirst, at(minutes{4}));
  ASSERT_TRUE(utc);
  EXPECT_EQ(utc->time, kNoon - minutes{6});
  EXPECT_EQ(utc->error_bound, milliseconds{5});
  EXPECT_TRUE(utc->trusted);
}

TEST(BootTable, KnowsNothingOfABootItHasNotMet) {
  EXPECT_FALSE(BootTable{}.utc_of(kFirst, at(minutes{1})));
}

TEST(BootTable, CorrectsWhatWasTakenBeforeTheClockWasSynchronised) {
  BootTable table;
  table.observe(kFirst, at(minutes{1}), unsynchronised(UtcTime{days{3}}));
  EXPECT_FALSE(table.utc_of(kFirst, at(minutes{1}))->trusted);
  EXPECT_TRUE(table.observe(kFirst, at(minutes{30}), synchronised(kNoon)));
  const auto utc = table.utc_of(kFirst, at(minutes{1}));
  EXPECT_EQ(utc->time, kNoon - minutes{29});
  EXPECT_TRUE(utc->trusted);
}

TEST(BootTable, KeepsAnOffsetOnceTrustedWhenSynchronisationIsLostAndTheClockJumps) {
  BootTable table;
  table.observe(kFirst, at(minutes{1}), synchronised(kNoon));
  EXPECT_FALSE(table.observe(kFirst, at(minutes{2}), unsynchronised(UtcTime{days{1}})));
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->time, kNoon);
}

TEST(BootTable, FollowsAStepOfASynchronisedClockButNotItsTrembling) {
  BootTable table;
  table.observe(kFirst, at(minutes{1}), synchronised(kNoon));
  EXPECT_FALSE(table.observe(kFirst, at(minutes{2}), synchronised(kNoon + minutes{1} + milliseconds{4})));
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->time, kNoon);
  EXPECT_TRUE(table.observe(kFirst, at(minutes{3}), synchronised(kNoon + minutes{2} + seconds{2})));
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->time, kNoon + seconds{2});
}

TEST(BootTable, TakesASurerReading) {
  BootTable table;
  table.observe(kFirst, at(minutes{1}), synchronised(kNoon, seconds{4}));
  EXPECT_TRUE(table.observe(kFirst, at(minutes{2}), synchronised(kNoon + minutes{1} + seconds{1}, milliseconds{10})));
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->time, kNoon + seconds{1});
}

TEST(BootTable, PutsABootThatNeverSynchronisedBetweenItsNeighbours) {
  BootTable table;
  table.observe(kFirst, at(minutes{10}), synchronised(kNoon));             // last seen at noon
  table.observe(kSecond, at(minutes{1}), unsynchronised(UtcTime{days{1}}));  // 1970, 1 minute up
  table.observe(kThird, at(minutes{2}), synchronised(kNoon + hours{1}));   // began at 12:58
  const auto utc = table.utc_of(kSecond, at(minutes{1}));
  ASSERT_TRUE(utc);
  EXPECT_FALSE(utc->trusted);
  // Not before 12:01 (it was a minute up), not after 12:58.
  EXPECT_GE(utc->time - utc->error_bound, kNoon);
  EXPECT_LE(utc->time + utc->error_bound, kNoon + minutes{58});
  EXPECT_EQ(utc->time, kNoon + minutes{1} + seconds{57 * 30});
}

TEST(BootTable, BelievesAnUnsynchronisedClockThatSaysSomethingPossible) {
  BootTable table;
  table.observe(kFirst, at(minutes{10}), synchronised(kNoon));
  table.observe(kSecond, at(minutes{1}), unsynchronised(kNoon + minutes{20}));
  table.observe(kThird, at(minutes{2}), synchronised(kNoon + hours{1}));
  EXPECT_EQ(table.utc_of(kSecond, at(minutes{1}))->time, kNoon + minutes{20});
}

TEST(BootTable, NeverPutsALaterBootBeforeAnEarlierOne) {
  BootTable table;
  table.observe(kFirst, at(minutes{10}), synchronised(kNoon));
  table.observe(kSecond, at(minutes{1}), unsynchronised(UtcTime{days{1}}));
  EXPECT_GE(table.utc_of(kSecond, at(minutes{1}))->time, kNoon);
}

TEST(BootTable, ForgetsTheOldestBootBeyondItsBound) {
  BootTable table;
  for (std::size_t i = 0; i <= BootTable::kBootsMax; ++i) {
    table.observe("boot-" + std::to_string(i), at(minutes{1}), synchronised(kNoon + hours{static_cast<int>(i)}));
  }
  EXPECT_EQ(table.rows().size(), BootTable::kBootsMax);
  EXPECT_FALSE(table.utc_of("boot-0", at(minutes{1})));
  EXPECT_TRUE(table.utc_of("boot-1", at(minutes{1})));
}

TEST(BootTable, PutsWhatWasStoredBeforeWhatItObservedMeanwhile) {
  BootTable table;
  table.observe(kSecond, at(seconds{5}), unsynchronised(UtcTime{days{1}}));
  const BootRow stored[] = {{kFirst, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::kernel, at(minutes{5})}};
  table.load(stored);
  ASSERT_EQ(table.rows().size(), 2U);
  EXPECT_EQ(table.rows()[0].boot, kFirst);
  EXPECT_EQ(table.rows()[1].boot, kSecond);
}

TEST(BootTable, KeepsATrustedRowOfThisBootWhenTheAgentStartsAgainUnsynchronised) {
  BootTable table;
  table.observe(kFirst, at(minutes{5}), unsynchronised(UtcTime{days{1}}));
  const BootRow stored[] = {{kFirst, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::kernel, at(minutes{4})}};
  table.load(stored);
  ASSERT_EQ(table.rows().size(), 1U);
  EXPECT_TRUE(table.utc_of(kFirst, at(minutes{1}))->trusted);
}

TEST(BootTable, RefusesRowsThatCannotBe) {
  constexpr nanoseconds kHuge{std::numeric_limits<std::int64_t>::max()};
  const BootRow stored[] = {{kFirst, kHuge, seconds{1}, BootRow::Source::kernel, at(minutes{4})},
                            {kSecond, -kHuge, seconds{1}, BootRow::Source::none, at(minutes{4})},
                            {kThird, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::none, at(kHuge)}};
  BootTable table;
  table.load(stored);
  EXPECT_TRUE(table.rows().empty());
}

}  // namespace
}  // namespace fieldpost
