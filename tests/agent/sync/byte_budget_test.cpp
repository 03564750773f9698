// SPDX-License-Identifier: Apache-2.0
// Who may send when, and what a restart leaves of it.
#include "agent/sync/byte_budget.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

using Claim = ByteBudget::Claim;
constexpr nanoseconds kNow{0};

TEST(ByteBudget, WithoutLimitsNobodyWaits) {
  ManualClock clock;
  ByteBudget budget{clock, {}};
  budget.spend(1'000'000'000);
  EXPECT_EQ(budget.wait(Claim::backlog), kNow);
}

TEST(ByteBudget, OneMessageMayOverdrawTheSecondAndTheNextWaitsForIt) {
  ManualClock clock;
  ByteBudget budget{clock, {.per_second = 1'000}};
  EXPECT_EQ(budget.wait(Claim::live), kNow);
  budget.spend(3'000);
  EXPECT_EQ(std::chrono::round<milliseconds>(budget.wait(Claim::live)), milliseconds{2'001});
  clock.advance(milliseconds{2'001});
  EXPECT_EQ(budget.wait(Claim::live), kNow);
}

TEST(ByteBudget, AlertsNeverWaitButCount) {
  ManualClock clock;
  ByteBudget budget{clock, {.per_second = 100, .per_day = 10'000}};
  budget.spend(50'000);
  EXPECT_EQ(budget.wait(Claim::alert), kNow);
  EXPECT_EQ(budget.used_today(), 50'000);
  EXPECT_GT(budget.wait(Claim::live), std::chrono::hours{23});
}

TEST(ByteBudget, NoSecondHasMoreMessagesThanAllowedAndAlertsWaitTheirTurnToo) {
  ManualClock clock;
  ByteBudget budget{clock, {.messages_per_second = 80}};
  int sent = 0;
  const BootTime end = clock.now() + seconds{1};
  while (clock.now() < end) {
    const nanoseconds wait = budget.wait(Claim::alert);
    EXPECT_EQ(wait, budget.wait(Claim::backlog));
    clock.advance(wait);
    if (wait > kNow) continue;
    budget.spend(100);
    ++sent;
  }
  EXPECT_GE(sent, 79);
  EXPECT_LE(sent, 81);
  clock.advance(seconds{10});
  int burst = 0;
  for (; budget.wait(Claim::live) == kNow; ++burst) budget.spend(100);
  EXPECT_EQ(burst, 8) << "what a pause saved up is a tenth of a second's";
}

TEST(ByteBudget, ABurstOfAlertsStopsTheOthersForSecondsOnly) {
  ManualClock clock;
  ByteBudget budget{clock, {.per_second = 100}};
  for (int i = 0; i < 1'000; ++i) budget.spend(100);
  EXPECT_LT(budget.wait(Claim::live), seconds{13});
}

TEST(ByteBudget, TheBacklogLeavesHalfOfTheRestOfTheDayToLiveReadings) {
  ManualClock clock;
  ByteBudget budget{clock, {.per_day = 1'000}};
  EXPECT_EQ(budget.wait(Claim::backlog), kNow);
  budget.spend(600);
  EXPECT_EQ(budget.wait(Claim::live), kNow);
  const nanoseconds wait = budget.wait(Claim::backlog);  // until four fifths of a day are left
  EXPECT_NEAR(std::chrono::duration<double>(wait).count(), 0.2 * 86'400, 1);
  clock.advance(wait);
  EXPECT_EQ(budget.wait(Claim::backlog), kNow);
}

TEST(ByteBudget, ADayThatIsUsedUpEndsAfter24Hours) {
  ManualClock clock;
  ByteBudget budget{clock, {.per_day = 1'000}};
  clock.advance(std::chrono::hours{1});
  budget.spend(1'000);
  EXPECT_EQ(budget.wait(Claim::live), std::chrono::hours{23});
  clock.advance(std::chrono::hours{23});
  EXPECT_EQ(budget.wait(Claim::live), kNow);
  EXPECT_EQ(budget.used_today(), 0);
  EXPECT_EQ(budget.resets_in(), ByteBudget::kDay);
}

TEST(ByteBudget, ADayThatEndedBeforeTheTimeWasKnownIsOver) {
  ManualClock clock;
  clock.set_utc({UtcTime{std::chrono::hours{1'000}}, true, {}});
  ByteBudget before{clock, {.per_day = 1'000}};
  before.spend(900);
  const std::string kept = before.to_text();
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  ByteBudget after{clock, {.per_day = 1'000}};
  after.restore(kept);
  clock.advance(std::chrono::hours{30});  // no look at it meanwhile
  clock.set_utc({UtcTime{std::chrono::hours{1'031}}, true, {}});
  EXPECT_EQ(after.used_today(), 0);
}

TEST(ByteBudget, ARestartOfTheProcessForgetsNothing) {
  ManualClock clock;
  ByteBudget before{clock, {.per_day = 1'000}};
  before.spend(700);
  const std::string kept = before.to_text();
  clock.advance(std::chrono::hours{2});
  ByteBudget after{clock, {.per_day = 1'000}};
  after.restore(kept);
  EXPECT_EQ(after.used_today(), 700);
  EXPECT_EQ(after.resets_in(), std::chrono::hours{22});
}

TEST(ByteBudget, AfterARebootUtcTellsHowMuchOfTheDayHasPassed) {
  ManualClock clock;
  ByteBudget before{clock, {.per_day = 1'000}};
  before.spend(700);
  clock.advance(std::chrono::hours{1});
  const std::string kept = before.to_text();
  ManualClock rebooted;
  rebooted.set_boot_id("00000000-0000-4000-8000-000000000002");
  const UtcTime later = clock.utc().time + std::chrono::hours{5};
  rebooted.set_utc({later, false});
  ByteBudget after{rebooted, {.per_day = 1'000}};
  after.restore(kept);
  EXPECT_EQ(after.resets_in(), std::chrono::hours{23}) << "the clock is not to be trusted yet: no time has passed";
  rebooted.set_utc({later, true, milliseconds{1}});
  EXPECT_EQ(after.resets_in(), std::chrono::hours{18});
  EXPECT_EQ(after.used_today(), 700);
  rebooted.set_utc({later + std::chrono::hours{30}, true, milliseconds{1}});
  ByteBudget next_day{rebooted, {.per_day = 1'000}};
  next_day.restore(kept);
  EXPECT_EQ(next_day.used_today(), 0);
}

TEST(ByteBudget, WhatMakesNoSenseIsNotBelieved) {
  ManualClock clock;
  for (const char* text : {"", "{}", "[1]", "nonsense", R"({"used":-5,"boot":"x","age_ms":1})", R"({"used":5,"boot":"x","age_ms":-1})",
                           R"({"used":5,"boot":"x","age_ms":99999999999})",
                           R"({"used":5,"boot":"00000000-0000-4000-8000-000000000001","age_ms":1,"began_boot_ms":9007199254740991})",
                           R"({"used":5,"boot":"x","age_ms":9007199254740991})"}) {
    ByteBudget budget{clock, {.per_day = 1'000}};
    budget.restore(text);
    EXPECT_EQ(budget.used_today(), 0) << text;
  }
}

}  // namespace
}  // namespace fieldpost
