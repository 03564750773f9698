// SPDX-License-Identifier: Apache-2.0
// Which number of a reading a rule compares.
#include <gtest/gtest.h>

#include <optional>

#include "agent/rules/rules.hpp"
#include "tests/agent/rules/rules_fixture.hpp"

namespace fieldpost {
namespace {

class RulesStatistic : public RulesTest {
 protected:
  /// The value that a rule on `statistic` sees in a window, found by asking for "above".
  std::optional<double> seen(Statistic statistic, const Summary& summary) {
    events_.events.clear();
    auto options = rule();
    options.statistic = statistic;
    options.warn_above = -1e9;
    start({options});
    rules_->accept(summary);
    if (events_.events.empty()) return std::nullopt;
    return events_.events[0].value;
  }
};

TEST_F(RulesStatistic, IsTakenFromTheSummary) {
  Summary summary;
  summary.series = add("temp");
  summary.start = at(0);
  summary.end = at(60);
  summary.count = 4;
  summary.min = 1;
  summary.max = 9;
  summary.last = 3;
  summary.sum = 20;
  summary.quantiles = {{0.5, 4}, {0.95, 8.5}};
  EXPECT_EQ(seen(Statistic::last, summary), 3);
  EXPECT_EQ(seen(Statistic::mean, summary), 5);
  EXPECT_EQ(seen(Statistic::max, summary), 9);
  EXPECT_EQ(seen(Statistic::min, summary), 1);
  EXPECT_EQ(seen(Statistic::p95, summary), 8.5);
  summary.quantiles.clear();
  EXPECT_EQ(seen(Statistic::p95, summary), std::nullopt);
  EXPECT_EQ(rules_->counts().incomparable, 1U);
}

TEST_F(RulesStatistic, RateOfACountersWindowIsItsIncreasePerSecond) {
  Summary summary;
  summary.series = add("temp", {}, SeriesKind::counter);
  summary.start = at(0);
  summary.end = at(60);
  summary.count = 2;
  summary.increase = 600;
  EXPECT_EQ(seen(Statistic::rate, summary), std::nullopt);  // the first window may have begun before its readings
  rules_->accept(summary);
  ASSERT_EQ(events_.events.size(), 1U);
  EXPECT_EQ(events_.events[0].value, 10);
  summary.increase.reset();
  EXPECT_EQ(seen(Statistic::rate, summary), std::nullopt);
}

TEST_F(RulesStatistic, WhatAStopClosesEarlyIsNotJudged) {
  Summary summary;
  summary.series = add("temp");
  summary.start = at(0);
  summary.end = at(60);
  summary.count = 1;
  summary.max = 1000;
  auto options = rule();
  options.statistic = Statistic::max;
  options.warn_above = 80;
  start({options});
  rules_->stop();
  rules_->accept(summary);
  EXPECT_TRUE(events_.events.empty());
}

TEST_F(RulesStatistic, RateOfPlainSamplesNeedsTwoOfThem) {
  auto options = rule();
  options.statistic = Statistic::rate;
  options.warn_above = 5;
  start({options});
  const SeriesId counter = add("temp", {}, SeriesKind::counter);
  give(counter, 1000, 1);
  give(counter, 1010, 2);
  EXPECT_EQ(story(), "warn");
  EXPECT_EQ(events_.events[0].value, 10);
  EXPECT_EQ(events_.events[0].message, "rate of temp is 10 celsius per second, above 5");
  give(counter, 3, 3);  // started anew: 3 in a second
  EXPECT_EQ(story(), "warn resolved");
  EXPECT_EQ(events_.events[1].value, 3);
}

TEST_F(RulesStatistic, RateOfAGaugeFallsToo) {
  auto options = rule();
  options.statistic = Statistic::rate;
  options.warn_below = -1;
  start({options});
  const SeriesId id = add("temp");
  give(id, 20, 1);
  give(id, 10, 3);
  EXPECT_EQ(story(), "warn");
  EXPECT_EQ(events_.events[0].value, -5);
  give(id, 50, 3);  // no time has passed: nothing to say
  EXPECT_EQ(story(), "warn");
  EXPECT_EQ(rules_->counts().compared, 1U);
}

}  // namespace
}  // namespace fieldpost
