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
/// What a free-running clock may be wrong by after so long.
nanoseconds free_run(nanoseconds time) { return time / BootTable::kDriftOneIn; }
UtcReading synchronised(UtcTime time, nanoseconds error = milliseconds{5}) { return {time, true, error}; }
UtcReading unsynchronised(UtcTime time) { return {time, false, {}}; }

TEST(BootTable, GivesTheUtcOfASynchronisedBoot) {
  BootTable table;
  EXPECT_TRUE(table.observe(kFirst, at(minutes{10}), synchronised(kNoon)));
  const auto utc = table.utc_of(kFirst, at(minutes{4}));
  ASSERT_TRUE(utc);
  EXPECT_EQ(utc->time, kNoon - minutes{6});
  EXPECT_EQ(utc->error_bound, milliseconds{5} + BootTable::kStepMin + free_run(minutes{6}));
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

TEST(BootTable, SaysThatAFreeRunningClockDriftsBeforeAndAfterItWasSynchronised) {
  BootTable table;
  table.observe(kFirst, at(hours{1}), unsynchronised(UtcTime{}));
  table.observe(kFirst, at(hours{24}), synchronised(kNoon));
  table.observe(kFirst, at(hours{30}), synchronised(kNoon + hours{6}));
  table.observe(kFirst, at(hours{60}), unsynchronised(kNoon + hours{36}));  // NTP has gone
  const auto error_at = [&table](hours time) { return table.utc_of(kFirst, at(time))->error_bound; };
  constexpr nanoseconds kLeast = milliseconds{5} + BootTable::kStepMin;
  EXPECT_EQ(error_at(hours{24}), kLeast);
  EXPECT_EQ(error_at(hours{30}), kLeast);
  EXPECT_EQ(error_at(hours{4}), kLeast + free_run(hours{20}));
  EXPECT_EQ(error_at(hours{60}), kLeast + free_run(hours{30}));
}

TEST(BootTable, BelievesASteppedClockFromTheStepOn) {
  BootTable table;
  table.observe(kFirst, at(hours{1}), synchronised(kNoon));
  table.observe(kFirst, at(hours{2}), synchronised(kNoon + hours{10}));  // it was nine hours late all the time
  EXPECT_EQ(table.utc_of(kFirst, at(hours{1}))->time, kNoon + hours{9});
  EXPECT_EQ(table.utc_of(kFirst, at(hours{1}))->error_bound,
            milliseconds{5} + BootTable::kStepMin + free_run(hours{1}));
}

TEST(BootTable, TakesAnewWhatASynchronisedClockSaysAfterItRanFree) {
  BootTable table;
  table.observe(kFirst, at(hours{1}), synchronised(kNoon, milliseconds{1}));
  table.observe(kFirst, at(hours{2}), unsynchronised(kNoon + hours{1}));
  EXPECT_TRUE(table.observe(kFirst, at(hours{9}), synchronised(kNoon + hours{8}, milliseconds{300})));
  EXPECT_EQ(table.utc_of(kFirst, at(hours{9}))->error_bound, milliseconds{300} + BootTable::kStepMin);
  EXPECT_EQ(table.utc_of(kFirst, at(hours{5}))->error_bound, milliseconds{300} + BootTable::kStepMin + free_run(hours{4}));
}

TEST(BootTable, StaysSureOfABootOverARestartOfTheAgent) {
  BootTable table;
  table.observe(kFirst, at(hours{9}), synchronised(kNoon + hours{8}));
  const BootRow stored[] = {{kFirst, (kNoon - hours{1}).time_since_epoch(), milliseconds{5}, BootRow::Source::kernel, at(hours{3}),
                             at(hours{1}), at(hours{3})}};
  table.load(stored);
  EXPECT_EQ(table.utc_of(kFirst, at(hours{2}))->error_bound, milliseconds{5} + BootTable::kStepMin);
  EXPECT_EQ(table.utc_of(kFirst, at(hours{9}))->error_bound, milliseconds{5} + BootTable::kStepMin);
}

TEST(BootTable, GivesNoUtcBelowTheLowestInstant) {
  BootTable table{kNoon};
  table.observe(kFirst, at(minutes{1}), unsynchronised(UtcTime{days{1}}));
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->time, kNoon);
  EXPECT_EQ(table.utc_of(kFirst, at(minutes{1}))->error_bound, BootTable::kUnknownError);
  EXPECT_FALSE(table.floor());  // that is another's to say
}

TEST(BootTable, BelievesNoClockThatIsFartherAheadThanTheErrorTold) {
  BootTable table{kNoon};
  table.observe(kFirst, at({}), unsynchronised(kNoon + BootTable::kUnknownError));
  EXPECT_EQ(table.utc_of(kFirst, at({}))->time, kNoon + BootTable::kUnknownError);
  table.observe(kSecond, at({}), unsynchronised(kNoon + BootTable::kUnknownError + seconds{1}));
  EXPECT_EQ(table.utc_of(kSecond, at({}))->time, kNoon);
}

TEST(BootTable, KnowsThatThisBootBeganAfterWhatWasSureBefore) {
  BootTable table;
  table.observe(kFirst, at(minutes{10}), synchronised(kNoon));
  table.observe(kFirst, at(minutes{40}), synchronised(kNoon + minutes{30}));  // seen
  constexpr nanoseconds kError = milliseconds{5} + BootTable::kStepMin;
  EXPECT_EQ(table.floor(), (kNoon - minutes{10}).time_since_epoch() - kError);
  table.observe(kSecond, at(minutes{1}), unsynchronised(UtcTime{days{1}}));
  EXPECT_EQ(table.floor(), (kNoon + minutes{30}).time_since_epoch() - kError);
  table.observe(kSecond, at(minutes{21}), unsynchronised(UtcTime{days{1}}));
  table.observe(kThird, at(minutes{1}), unsynchronised(UtcTime{days{1}}));
  const nanoseconds second = minutes{21} - free_run(minutes{21});
  EXPECT_EQ(table.floor(), (kNoon + minutes{30}).time_since_epoch() - kError + second);
}

TEST(BootTable, LetsASynchronisedClockLowerTheFloorThatALyingOneRaised) {
  BootTable table;
  table.observe(kFirst, at(minutes{1}), synchronised(kNoon + days{3650}));
  table.observe(kSecond, at(minutes{1}), synchronised(kNoon));
  EXPECT_LT(*table.floor(), kNoon.time_since_epoch());
}

TEST(BootTable, KeepsTheNewestSureBootHoweverManyFollow) {
  BootTable table;
  table.observe("sure", at(minutes{1}), synchronised(kNoon));
  for (std::size_t i = 0; i < BootTable::kBootsMax + 5; ++i) {
    table.observe("boot-" + std::to_string(i), at(minutes{1}), unsynchronised(UtcTime{}));
  }
  EXPECT_EQ(table.rows().size(), BootTable::kBootsMax);
  EXPECT_EQ(table.rows().front().boot, "sure");
  EXPECT_GT(*table.floor(), (kNoon + hours{8}).time_since_epoch());  // and 512 minutes since
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
  constexpr milliseconds kNear{60};  // the neighbours' own errors
  EXPECT_GE(utc->time - utc->error_bound, kNoon + minutes{1} - kNear);
  EXPECT_LE(utc->time + utc->error_bound, kNoon + minutes{58} + kNear);
  EXPECT_LE(std::chrono::abs(utc->time - (kNoon + minutes{1} + seconds{57 * 30})), kNear);
  EXPECT_LE(std::chrono::abs(utc->error_bound - seconds{57 * 30}), kNear);
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
  EXPECT_GE(table.utc_of(kSecond, at(minutes{1}))->time, kNoon + seconds{59});
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
  const BootRow stored[] = {{kFirst, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::kernel, at(minutes{5}), {}, {}}};
  table.load(stored);
  ASSERT_EQ(table.rows().size(), 2U);
  EXPECT_EQ(table.rows()[0].boot, kFirst);
  EXPECT_EQ(table.rows()[1].boot, kSecond);
}

TEST(BootTable, KeepsATrustedRowOfThisBootWhenTheAgentStartsAgainUnsynchronised) {
  BootTable table;
  table.observe(kFirst, at(minutes{5}), unsynchronised(UtcTime{days{1}}));
  const BootRow stored[] = {{kFirst, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::kernel, at(minutes{4}), {}, {}}};
  table.load(stored);
  ASSERT_EQ(table.rows().size(), 1U);
  EXPECT_TRUE(table.utc_of(kFirst, at(minutes{1}))->trusted);
}

TEST(BootTable, RefusesRowsThatCannotBe) {
  constexpr nanoseconds kHuge{std::numeric_limits<std::int64_t>::max()};
  const BootRow stored[] = {{kFirst, kHuge, seconds{1}, BootRow::Source::kernel, at(minutes{4}), {}, {}},
                            {kSecond, -kHuge, seconds{1}, BootRow::Source::none, at(minutes{4}), {}, {}},
                            {kThird, kNoon.time_since_epoch(), seconds{1}, BootRow::Source::none, at(kHuge), {}, {}},
                            {"f", {}, seconds{1}, BootRow::Source::none, {}, at(-seconds{1}), {}},
                            {"g", {}, seconds{1}, BootRow::Source::none, {}, {}, at(kHuge)}};
  BootTable table;
  table.load(stored);
  EXPECT_TRUE(table.rows().empty());
}

}  // namespace
}  // namespace fieldpost
