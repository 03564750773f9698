// SPDX-License-Identifier: Apache-2.0
// When rules speak, what they say, and when they keep quiet.
#include "agent/rules/rules.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/agent/rules/rules_fixture.hpp"

namespace fieldpost {
namespace {

TEST_F(RulesTest, PassesEveryReadingOn) {
  start({});
  const SeriesId id = add("temp");
  give(id, 1, 1);
  Summary summary;
  summary.series = id;
  rules_->accept(summary);
  EXPECT_EQ(next_.samples, 1);
  EXPECT_EQ(next_.summaries, 1);
  EXPECT_TRUE(events_.events.empty());
}

TEST_F(RulesTest, SaysWhatIsHowMuchAboveWhat) {
  auto options = rule();
  options.warn_above = 85;
  start({options});
  const SeriesId id = add("temp");
  give(id, 85.0, 1);
  EXPECT_EQ(story(), "");  // at the threshold is not above it
  give(id, 86.2, 2);
  ASSERT_EQ(story(), "warn");
  const Event& event = events_.events[0];
  EXPECT_EQ(event.name, "hot");
  EXPECT_EQ(event.labels, (std::vector<Label>{{"chip", "cpu"}}));
  EXPECT_EQ(event.time, at(2));
  EXPECT_EQ(event.value, 86.2);
  EXPECT_EQ(event.message, R"(temp{chip="cpu"} is 86.2 celsius, above 85)");
  EXPECT_EQ(rules_->active(), 1U);
  give(id, 80.5, 3);
  EXPECT_EQ(story(), "warn resolved");
  EXPECT_EQ(events_.events[1].message, R"(temp{chip="cpu"} is 80.5 celsius, no longer above 85)");
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, SaysAThingOnce) {
  auto options = rule();
  options.warn_above = 85;
  start({options});
  const SeriesId id = add("temp");
  for (int t = 0; t < 100; ++t) give(id, 90 + t % 3, t);
  EXPECT_EQ(story(), "warn");
}

TEST_F(RulesTest, RisesToCriticalAndFallsBackOverTheWarning) {
  auto options = rule();
  options.warn_above = 85;
  options.critical_above = 95;
  start({options});
  const SeriesId id = add("temp");
  double t = 0;
  for (const double v : {80.0, 90.0, 96.0, 90.0, 80.0}) give(id, v, ++t);
  EXPECT_EQ(story(), "warn critical warn resolved");
  EXPECT_EQ(events_.events[2].message,
            R"(temp{chip="cpu"} is 90 celsius, no longer above 95, back to the warning above 85)");
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, JumpsStraightToCriticalAndStraightBack) {
  auto options = rule();
  options.warn_above = 85;
  options.critical_above = 95;
  start({options});
  const SeriesId id = add("temp");
  give(id, 99, 1);
  give(id, 20, 2);
  EXPECT_EQ(story(), "critical resolved");
  EXPECT_TRUE(events_.events[1].message.ends_with("no longer above 85"));
}

TEST_F(RulesTest, WatchesBelowToo) {
  auto options = rule();
  options.warn_below = 10;
  options.critical_below = 5;
  options.hysteresis = 1;
  start({options});
  const SeriesId id = add("temp");
  double t = 0;
  for (const double v : {12.0, 9.0, 4.0, 5.5, 6.0, 10.5, 11.0}) give(id, v, ++t);
  EXPECT_EQ(story(), "warn critical warn resolved");
  EXPECT_TRUE(events_.events[0].message.ends_with("is 9 celsius, below 10"));
}

TEST_F(RulesTest, FromTooHighToTooLowIsTwoStories) {
  auto options = rule();
  options.warn_above = 85;
  options.warn_below = 10;
  start({options});
  const SeriesId id = add("temp");
  give(id, 90, 1);
  give(id, 5, 2);
  give(id, 50, 3);
  EXPECT_EQ(story(), "warn resolved warn resolved");
  EXPECT_TRUE(events_.events[2].message.ends_with("below 10"));
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, HysteresisOfOneSideDoesNotWidenTheOther) {
  auto options = rule();
  options.warn_above = 85;
  options.warn_below = 10;
  options.hysteresis = 2;
  start({options});
  const SeriesId id = add("temp");
  give(id, 90, 1);
  give(id, 11, 2);
  EXPECT_EQ(story(), "warn resolved");
}

TEST_F(RulesTest, TheTimeOnOneSideDoesNotCountForTheOther) {
  auto options = rule();
  options.warn_above = 85;
  options.warn_below = 10;
  options.for_duration = seconds{10};
  start({options});
  const SeriesId id = add("temp");
  for (int t = 0; t < 5; ++t) give(id, 90, t);
  for (int t = 5; t < 15; ++t) give(id, 5, t);
  EXPECT_EQ(story(), "");
  give(id, 5, 15);
  EXPECT_EQ(story(), "warn");
}

TEST_F(RulesTest, HysteresisHoldsTheAlarmUntilTheValueIsWellBack) {
  auto options = rule();
  options.warn_above = 85;
  options.hysteresis = 5;
  start({options});
  const SeriesId id = add("temp");
  give(id, 86, 1);
  give(id, 81, 2);
  EXPECT_EQ(story(), "warn");
  give(id, 80, 3);
  EXPECT_EQ(story(), "warn resolved");
  give(id, 84, 4);  // inside the band from below: nothing
  EXPECT_EQ(story(), "warn resolved");
}

TEST_F(RulesTest, ForDurationMustPassWithoutABreak) {
  auto options = rule();
  options.warn_above = 85;
  options.for_duration = seconds{10};
  start({options});
  const SeriesId id = add("temp");
  for (int t = 0; t < 9; ++t) give(id, 90, t);
  give(id, 80, 9);  // the break
  for (int t = 10; t < 20; ++t) give(id, 90, t);
  EXPECT_EQ(story(), "");
  give(id, 91, 20);
  ASSERT_EQ(story(), "warn");
  EXPECT_EQ(events_.events[0].message, R"(temp{chip="cpu"} is 91 celsius, above 85 for 10 s)");
  give(id, 80, 21);
  EXPECT_EQ(story(), "warn resolved");
}

TEST_F(RulesTest, ForDurationCountsForEachLevelOnItsOwn) {
  auto options = rule();
  options.warn_above = 85;
  options.critical_above = 95;
  options.for_duration = seconds{10};
  start({options});
  const SeriesId id = add("temp");
  for (int t = 0; t < 5; ++t) give(id, 90, t);
  for (int t = 5; t <= 10; ++t) give(id, 99, t);
  EXPECT_EQ(story(), "warn");  // above 85 since 0, above 95 only since 5
  for (int t = 11; t <= 15; ++t) give(id, 99, t);
  EXPECT_EQ(story(), "warn critical");
}

TEST_F(RulesTest, AFlickeringConditionNeverResolvesWhatWasNeverRaised) {
  auto options = rule();
  options.warn_above = 85;
  options.for_duration = seconds{10};
  start({options});
  const SeriesId id = add("temp");
  for (int t = 0; t < 100; ++t) give(id, t % 5 == 0 ? 80 : 90, t);
  EXPECT_EQ(story(), "");
}

TEST_F(RulesTest, EverySeriesHasItsOwnState) {
  auto options = rule("temp*");
  options.labels = {{"chip", "cpu*"}};
  options.warn_above = 85;
  start({options});
  const SeriesId a = add("temp", {{"chip", "cpu0"}});
  const SeriesId b = add("temp_core", {{"chip", "cpu1"}});
  const SeriesId other = add("temp", {{"chip", "gpu"}});
  const SeriesId unlabelled = add("temp", {});
  give(a, 90, 1);
  give(b, 90, 1);
  give(other, 90, 1);
  give(unlabelled, 90, 1);
  give(a, 20, 2);
  EXPECT_EQ(story(), "warn warn resolved");
  EXPECT_EQ(events_.events[1].labels[0].value, "cpu1");
  EXPECT_EQ(events_.events[2].labels[0].value, "cpu0");
}

TEST_F(RulesTest, SeveralRulesMayWatchOneSeries) {
  auto first = rule();
  first.name = "warm";
  first.warn_above = 50;
  auto second = rule("*");
  second.name = "hot";
  second.critical_above = 80;
  start({first, second});
  const SeriesId id = add("temp");
  give(id, 90, 1);
  EXPECT_EQ(story(), "warn critical");
  EXPECT_EQ(events_.events[0].name, "warm");
}

TEST_F(RulesTest, ANumberThatIsNoneIsNotCompared) {
  auto options = rule();
  options.warn_above = 85;
  start({options});
  const SeriesId id = add("temp");
  give(id, 90, 1);
  give(id, std::nan(""), 2);
  EXPECT_EQ(story(), "warn");
  EXPECT_EQ(rules_->counts().incomparable, 1U);
}

// ---- dead-man -----------------------------------------------------------------------------------

TEST_F(RulesTest, SilenceIsAnAlarmAndItsEndIsTold) {
  auto options = rule();
  options.no_data_after = seconds{30};
  options.no_data_severity = Severity::critical;
  start({options});
  const SeriesId id = add("temp");
  give(id, 20, 100);
  rules_->advance(at(130));
  EXPECT_EQ(story(), "");
  rules_->advance(at(130.5));
  rules_->advance(at(140));
  ASSERT_EQ(story(), "critical");
  EXPECT_EQ(events_.events[0].name, "hot_no_data");
  EXPECT_TRUE(std::isnan(events_.events[0].value));
  EXPECT_EQ(events_.events[0].message, R"(no data from temp{chip="cpu"} for 30 s)");
  EXPECT_EQ(rules_->active(), 1U);
  give(id, 21, 145);
  ASSERT_EQ(story(), "critical resolved");
  EXPECT_EQ(events_.events[1].message, R"(data from temp{chip="cpu"} again after 45 s)");
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, SilenceAndAThresholdAreTwoAlarms) {
  auto options = rule();
  options.warn_above = 85;
  options.no_data_after = seconds{30};
  start({options});
  const SeriesId id = add("temp");
  give(id, 90, 100);
  rules_->advance(at(140));
  EXPECT_EQ(rules_->active(), 2U);
  give(id, 20, 150);
  EXPECT_EQ(story(), "warn warn resolved resolved");
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, ASeriesThatNeverCameIsMissedToo) {
  auto options = rule("temp_*");
  options.labels = {{"chip", "cpu"}};
  options.no_data_after = seconds{30};
  start({options});
  rules_->advance(at(1000));
  rules_->advance(at(1030));
  EXPECT_EQ(story(), "");
  rules_->advance(at(1031));
  rules_->advance(at(1032));
  ASSERT_EQ(story(), "warn");
  EXPECT_TRUE(events_.events[0].labels.empty());
  EXPECT_EQ(events_.events[0].message,
            R"(no data from any series like temp_*{chip="cpu"} for 30 s)");
  give(add("temp_a"), 1, 1033);
  EXPECT_EQ(story(), "warn resolved");
  EXPECT_EQ(rules_->active(), 0U);
}

TEST_F(RulesTest, SummariesAreDataTooFromTheirEndOn) {
  auto options = rule();
  options.no_data_after = seconds{90};
  start({options});
  Summary summary;
  summary.series = add("temp");
  summary.start = at(0);
  summary.end = at(60);
  summary.count = 1;
  rules_->accept(summary);
  rules_->advance(at(150));
  EXPECT_EQ(story(), "");
  rules_->advance(at(151));
  EXPECT_EQ(story(), "warn");
}

// ---- bounds and properties ----------------------------------------------------------------------

TEST_F(RulesTest, StatesAreBoundedAndWhatIsLeftOutIsCounted) {
  auto options = rule("*");
  options.warn_above = 5;
  start({options});
  const std::size_t most = Rules::kStatesMax;
  for (std::size_t i = 0; i < most; ++i) {
    give(add("s" + std::to_string(i)), 1, 1);
  }
  EXPECT_EQ(rules_->counts().unwatched, 0U);
  const SeriesId last = add("one_more");
  give(last, 99, 2);
  give(last, 99, 3);
  EXPECT_EQ(rules_->counts().unwatched, 1U);
  EXPECT_EQ(story(), "");
  EXPECT_EQ(next_.samples, static_cast<int>(most) + 2);
}

TEST_F(RulesTest, HysteresisNeverFlaps) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::uniform_real_distribution<double> unit{0, 1};
  for (int round = 0; round < 200; ++round) {
    events_.events.clear();
    const bool above = round % 2 == 0;
    const double threshold = 100 * unit(random) - 50;
    auto options = rule();
    (above ? options.warn_above : options.warn_below) = threshold;
    options.hysteresis = 0.1 + unit(random);
    start({options});
    const SeriesId id = add("temp");
    // Noise that is narrower than the hysteresis, wherever it lies about the threshold.
    const double width = options.hysteresis * 0.999;
    const double low = threshold - width * unit(random);
    for (int t = 0; t < 200; ++t) give(id, low + width * unit(random), t);
    ASSERT_LE(events_.events.size(), 1U) << "round " << round;
  }
}

// Alarms on and off must tell a consistent story whatever comes.
TEST_F(RulesTest, EveryStoryAlternatesAndTheNumberOfAlarmsAddsUp) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::uniform_real_distribution<double> value{-10, 110};
  for (int round = 0; round < 100; ++round) {
    events_.events.clear();
    auto options = rule();
    options.warn_above = 80;
    options.critical_above = 95;
    options.warn_below = 20;
    options.critical_below = 5;
    options.hysteresis = round % 3;
    options.for_duration = seconds{round % 4};
    start({options});
    const SeriesId id = add("temp");
    double v = 50;
    for (int t = 0; t < 300; ++t) {
      if (random() % 3 == 0) v = value(random);
      give(id, v, t);
    }
    Severity now = Severity::resolved;
    for (const Event& event : events_.events) {
      ASSERT_NE(event.severity, now) << "the same thing twice: " << event.message;
      now = event.severity;
    }
    ASSERT_EQ(rules_->active(), now == Severity::resolved ? 0U : 1U);
    ASSERT_FALSE(events_.events.empty());
  }
}

}  // namespace
}  // namespace fieldpost
