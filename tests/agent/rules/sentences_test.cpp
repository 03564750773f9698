// SPDX-License-Identifier: Apache-2.0
#include "agent/rules/sentences.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fieldpost {
namespace {

using namespace std::chrono_literals;

TEST(Sentences, NumbersHaveNoNoise) {
  EXPECT_EQ(number_text(86.2), "86.2");
  EXPECT_EQ(number_text(85), "85");
  EXPECT_EQ(number_text(0.1 + 0.2), "0.3");
  EXPECT_EQ(number_text(1.5e9), "1.5e+09");
  EXPECT_EQ(number_text(std::nan("")), "no number");
}

TEST(Sentences, DurationsReadAsAPersonWouldSayThem) {
  EXPECT_EQ(duration_text(10s), "10 s");
  EXPECT_EQ(duration_text(250ms), "250 ms");
  EXPECT_EQ(duration_text(1500ms), "1.5 s");
  EXPECT_EQ(duration_text(60s), "1 min");
  EXPECT_EQ(duration_text(90s), "90 s");
  EXPECT_EQ(duration_text(5min), "5 min");
  EXPECT_EQ(duration_text(150s), "2.5 min");
  EXPECT_EQ(duration_text(1h), "1 h");
  EXPECT_EQ(duration_text(36h), "36 h");
}

TEST(Sentences, ALongSeriesIsCutAtACharactersBorder) {
  RuleOptions rule;
  Series series;
  series.name = "x";
  for (int i = 0; i < 1000; ++i) series.name += "\xC3\xA4";  // two bytes each, after one
  const std::string subject = subject_text(rule, series);
  EXPECT_LT(subject.size(), 700U);
  EXPECT_TRUE(subject.ends_with("\xC3\xA4..."));
}

TEST(Sentences, AMessageFitsAnEventAtTheBoundAndOnePastIt) {
  EXPECT_EQ(fit_message(std::string(Event::kMessageBytesMax, 'x')).size(), Event::kMessageBytesMax);
  EXPECT_EQ(fit_message(std::string(Event::kMessageBytesMax + 1, 'x')).size(),
            Event::kMessageBytesMax);
  const std::string cut = fit_message(std::string(Event::kMessageBytesMax - 1, 'x') + "\xC3\xA4");
  EXPECT_EQ(cut.size(), Event::kMessageBytesMax - 1);
}

TEST(Sentences, AStatisticAndAUnitAreNamed) {
  RuleOptions rule;
  Series series;
  series.name = "rx_bytes_total";
  series.unit = "bytes";
  rule.statistic = RuleOptions::Statistic::rate;
  EXPECT_EQ(subject_text(rule, series), "rate of rx_bytes_total");
  EXPECT_EQ(quantity_text(rule, series, 1200), "1200 bytes per second");
  rule.statistic = RuleOptions::Statistic::p95;
  EXPECT_EQ(subject_text(rule, series), "95th percentile of rx_bytes_total");
  series.unit.clear();
  EXPECT_EQ(quantity_text(rule, series, 3), "3");
}

}  // namespace
}  // namespace fieldpost
