// SPDX-License-Identifier: Apache-2.0
// A table, lists that keep what comes out of the rules, and short ways to put something in.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/rules/rules.hpp"

namespace fieldpost {

using std::chrono::seconds;
using Statistic = RuleOptions::Statistic;

struct ReadingCount final : ReadingSink {
  int samples = 0;
  int summaries = 0;
  void accept(const Sample&) override { ++samples; }
  void accept(const Summary&) override { ++summaries; }
};

struct EventList final : EventSink {
  std::vector<Event> events;
  void accept(const Event& event) override { events.push_back(event); }
};

inline BootTime at(double s) {
  return BootTime{std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>{s})};
}

class RulesTest : public testing::Test {
 protected:
  SeriesId add(std::string name, std::vector<Label> labels = {{"chip", "cpu"}},
               SeriesKind kind = SeriesKind::gauge) {
    Series series;
    series.name = std::move(name);
    series.labels = std::move(labels);
    series.unit = "celsius";
    series.kind = kind;
    return *table_.add(std::move(series));
  }

  static RuleOptions rule(std::string metric = "temp") {
    RuleOptions options;
    options.name = "hot";
    options.metric = std::move(metric);
    return options;
  }

  void start(std::vector<RuleOptions> rules) {
    for (const RuleOptions& each : rules) {
      const auto allowed = check(each);
      ASSERT_TRUE(allowed) << allowed.error().sentence();
    }
    rules_ = std::make_unique<Rules>(table_, std::move(rules), next_, events_);
  }

  void give(SeriesId id, Value value, double s) { rules_->accept(Sample{id, value, at(s)}); }

  std::string story() const {
    std::string text;
    for (const Event& event : events_.events) {
      if (!text.empty()) text += ' ';
      text += to_string(event.severity);
    }
    return text;
  }

  SeriesTable table_;
  ReadingCount next_;
  EventList events_;
  std::unique_ptr<Rules> rules_;
};

}  // namespace fieldpost
