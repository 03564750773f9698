// SPDX-License-Identifier: Apache-2.0
#include "agent/rules/rule_options.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string_view>

namespace fieldpost {
namespace {

RuleOptions good_rule() {
  RuleOptions rule;
  rule.name = "hot";
  rule.metric = "t";
  rule.warn_above = 80;
  rule.critical_above = 90;
  rule.warn_below = 10;
  rule.critical_below = 5;
  rule.hysteresis = 2;
  return rule;
}

void expect_refused(std::string_view word, const std::function<void(RuleOptions&)>& spoil) {
  RuleOptions rule = good_rule();
  spoil(rule);
  const auto result = check(rule);
  ASSERT_FALSE(result) << word;
  EXPECT_EQ(result.error().kind(), ErrorKind::OutOfRange);
  EXPECT_NE(result.error().sentence().find(word), std::string::npos) << result.error().sentence();
}

TEST(RuleOptions, ACompleteRuleIsAllowed) { EXPECT_TRUE(check(good_rule())); }

TEST(RuleOptions, ADeadManAloneIsARule) {
  RuleOptions rule;
  rule.name = "quiet";
  rule.metric = "*";
  rule.no_data_after = std::chrono::seconds{60};
  EXPECT_TRUE(check(rule));
}

TEST(RuleOptions, WhatMakesNoSenseIsRefusedByName) {
  expect_refused("name", [](RuleOptions& r) { r.name.clear(); });
  expect_refused("series", [](RuleOptions& r) { r.metric.clear(); });
  expect_refused("thresholds", [](RuleOptions& r) { r.warn_above = std::nan(""); });
  expect_refused("needs", [](RuleOptions& r) {
    r.warn_above = r.critical_above = r.warn_below = r.critical_below = std::nullopt;
  });
  expect_refused("critical_above", [](RuleOptions& r) { r.critical_above = 79; });
  expect_refused("critical_below", [](RuleOptions& r) { r.critical_below = 11; });
  expect_refused("hysteresis", [](RuleOptions& r) { r.hysteresis = -1; });
  expect_refused("twice the hysteresis", [](RuleOptions& r) { r.hysteresis = 36; });
  expect_refused("for must", [](RuleOptions& r) { r.for_duration = nanoseconds{-1}; });
  expect_refused("no_data_for", [](RuleOptions& r) { r.no_data_after = nanoseconds{-1}; });
  expect_refused("no_data_severity",
                 [](RuleOptions& r) { r.no_data_severity = Severity::resolved; });
}

TEST(RuleOptions, StatisticsHaveTheNamesOfTheConfiguration) {
  EXPECT_EQ(to_string(RuleOptions::Statistic::last), "last");
  EXPECT_EQ(to_string(RuleOptions::Statistic::p95), "p95");
  EXPECT_EQ(to_string(RuleOptions::Statistic::rate), "rate");
}

}  // namespace
}  // namespace fieldpost
