// SPDX-License-Identifier: Apache-2.0
// Windows: against a naive reference that keeps everything, and at their borders.
#include "agent/aggregate/aggregate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace fieldpost {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ReadingList final : ReadingSink {
  std::vector<Sample> samples;
  std::vector<Summary> summaries;
  void accept(const Sample& sample) override { samples.push_back(sample); }
  void accept(const Summary& summary) override { summaries.push_back(summary); }
};

BootTime at(double s) {
  return BootTime{std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>{s})};
}

class AggregateTest : public testing::Test {
 protected:
  SeriesId add(std::string name, SeriesKind kind = SeriesKind::gauge, double wraps_at = 0) {
    Series series;
    series.name = std::move(name);
    series.kind = kind;
    series.wraps_at = wraps_at;
    return *table_.add(std::move(series));
  }

  SeriesId windowed(std::string name, nanoseconds length, SeriesKind kind = SeriesKind::gauge,
                    double wraps_at = 0) {
    policies_[name].window = length;
    return add(std::move(name), kind, wraps_at);
  }

  void give(SeriesId id, Value value, double s) { stage_.accept({id, value, at(s)}); }

  void expect_counts_add_up() const {
    const AggregateCounts& c = stage_.counts();
    EXPECT_EQ(c.received, c.passed + c.windowed + c.late + c.not_finite);
    EXPECT_EQ(c.passed, out_.samples.size());
    EXPECT_EQ(c.summaries, out_.summaries.size());
  }

  SeriesTable table_;
  ReadingList out_;
  std::map<std::string, AggregateOptions> policies_;
  Aggregate stage_{table_, [this](const Series& series) { return policies_[series.name]; }, out_};
};

TEST_F(AggregateTest, PassesSeriesWithoutAWindowThrough) {
  const SeriesId id = add("x");
  give(id, 7, 1);
  give(id, 8, 2);
  ASSERT_EQ(out_.samples.size(), 2U);
  EXPECT_EQ(out_.samples[1].value.integer(), 8);
  stage_.advance(at(1000));
  stage_.finish();
  EXPECT_TRUE(out_.summaries.empty());
  expect_counts_add_up();
}

TEST_F(AggregateTest, ASampleOnTheBorderOpensTheNextWindow) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, 1, 10);
  give(id, 2, 19.999);
  EXPECT_TRUE(out_.summaries.empty());
  give(id, 3, 20);
  ASSERT_EQ(out_.summaries.size(), 1U);
  const Summary& summary = out_.summaries[0];
  EXPECT_EQ(summary.start, at(10));
  EXPECT_EQ(summary.end, at(20));
  EXPECT_EQ(summary.count, 2U);
  EXPECT_EQ(summary.min.integer(), 1);
  EXPECT_EQ(summary.max.integer(), 2);
  EXPECT_EQ(summary.last.integer(), 2);
  EXPECT_EQ(summary.sum, 3);
  EXPECT_EQ(summary.mean(), 1.5);
  EXPECT_EQ(summary.stddev, 0.5);
  EXPECT_FALSE(summary.increase);
  expect_counts_add_up();
}

TEST_F(AggregateTest, WindowsOfDifferentSeriesShareTheirBorders) {
  const SeriesId a = windowed("a", seconds{60});
  const SeriesId b = windowed("b", seconds{60});
  give(a, 1, 61);
  give(b, 1, 119);
  stage_.finish();
  ASSERT_EQ(out_.summaries.size(), 2U);
  EXPECT_EQ(out_.summaries[0].start, at(60));
  EXPECT_EQ(out_.summaries[1].start, at(60));
}

TEST_F(AggregateTest, AWindowWithoutSamplesGivesNoSummary) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, 1, 5);
  give(id, 2, 55);
  stage_.finish();
  ASSERT_EQ(out_.summaries.size(), 2U);
  EXPECT_EQ(out_.summaries[1].start, at(50));
}

TEST_F(AggregateTest, AdvanceClosesAWindowOnceItsGraceIsOver) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, 1, 5);
  stage_.advance(at(10.999));
  EXPECT_TRUE(out_.summaries.empty());
  give(id, 2, 9.5);  // read on the worker before the border, handed over after it
  stage_.advance(at(11));
  ASSERT_EQ(out_.summaries.size(), 1U);
  EXPECT_EQ(out_.summaries[0].count, 2U);
  stage_.advance(at(100));
  EXPECT_EQ(out_.summaries.size(), 1U);
}

TEST_F(AggregateTest, AdvanceLooksAfterWindowsOfEveryLength) {
  const SeriesId a = windowed("a", seconds{10});
  const SeriesId b = windowed("b", seconds{60});
  give(b, 1, 1);
  for (int t = 1; t <= 200; ++t) {
    give(a, 1, t);
    give(b, 1, t);
    stage_.advance(at(t));
  }
  std::map<SeriesId, int> windows;
  for (const Summary& summary : out_.summaries) ++windows[summary.series];
  EXPECT_EQ(windows[a], 20);
  EXPECT_EQ(windows[b], 3);
}

TEST_F(AggregateTest, AdvanceClosesALongWindowAfterShortOnesThoughNothingComesAnyMore) {
  const SeriesId a = windowed("a", seconds{10});
  const SeriesId b = windowed("b", seconds{60});
  give(a, 1, 1);
  give(b, 1, 1);
  for (int t = 2; t <= 61; ++t) stage_.advance(at(t));
  EXPECT_EQ(out_.summaries.size(), 2U);
}

TEST_F(AggregateTest, TheSumLosesNothingBesideALargeValue) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, 1e16, 1);
  for (int i = 0; i < 1000; ++i) give(id, 1.0, 2);
  give(id, -1e16, 3);
  stage_.finish();
  EXPECT_EQ(out_.summaries.at(0).sum, 1000);
}

TEST_F(AggregateTest, ALateSampleIsCountedAndLeftOut) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, 1, 5);
  stage_.advance(at(20));
  give(id, 2, 9);  // its window was closed by the clock
  give(id, 3, 25);
  give(id, 4, 19);  // its window lies before the open one
  stage_.finish();
  EXPECT_EQ(stage_.counts().late, 2U);
  ASSERT_EQ(out_.summaries.size(), 2U);
  EXPECT_EQ(out_.summaries[0].count, 1U);
  EXPECT_EQ(out_.summaries[1].count, 1U);
  expect_counts_add_up();
}

TEST_F(AggregateTest, OutOfOrderInsideTheWindowIsNoHarm) {
  policies_["c"].window = seconds{10};
  const SeriesId id = add("c", SeriesKind::counter);
  give(id, 10, 1);
  give(id, 30, 3);
  give(id, 20, 2);
  stage_.finish();
  const Summary& summary = out_.summaries.at(0);
  EXPECT_EQ(summary.last.integer(), 30);
  EXPECT_EQ(summary.count, 3U);
  EXPECT_EQ(summary.increase, 20);
  EXPECT_EQ(summary.resets, 0U);
}

TEST_F(AggregateTest, WhatIsNoNumberIsCountedAndHarmsNothing) {
  const SeriesId id = windowed("x", seconds{10});
  give(id, std::nan(""), 1);
  give(id, std::numeric_limits<double>::infinity(), 2);
  give(id, 4, 3);
  stage_.finish();
  EXPECT_EQ(stage_.counts().not_finite, 2U);
  EXPECT_EQ(out_.summaries.at(0).sum, 4);
  expect_counts_add_up();
}

TEST_F(AggregateTest, ExtremeValuesStayExactIntegers) {
  const SeriesId id = windowed("x", seconds{10});
  const std::int64_t large = std::int64_t{1} << 60;
  give(id, large + 1, 1);
  give(id, large, 2);
  give(id, large + 2, 3);
  stage_.finish();
  EXPECT_EQ(out_.summaries.at(0).min.integer(), large);
  EXPECT_EQ(out_.summaries.at(0).max.integer(), large + 2);
  EXPECT_EQ(out_.summaries.at(0).last.integer(), large + 2);
}

TEST_F(AggregateTest, StddevIsRightFarFromZero) {
  const SeriesId id = windowed("x", seconds{10});
  for (int i = 0; i < 1000; ++i) give(id, 1e9 + (i % 2), 0.001 * i);
  stage_.finish();
  EXPECT_DOUBLE_EQ(out_.summaries.at(0).stddev, 0.5);
}

TEST_F(AggregateTest, TheWorstQualityIsTheWindows) {
  const SeriesId id = windowed("x", seconds{10});
  stage_.accept({id, Value{1}, at(1), Quality::good});
  stage_.accept({id, Value{1}, at(2), Quality::suspect});
  stage_.accept({id, Value{1}, at(3), Quality::good});
  give(id, 1, 11);
  stage_.finish();
  EXPECT_EQ(out_.summaries.at(0).quality, Quality::suspect);
  EXPECT_EQ(out_.summaries.at(1).quality, Quality::good);
}

TEST_F(AggregateTest, QuantilesAreThoseAskedFor) {
  policies_["x"].quantiles = {0.5, 0.95};
  const SeriesId id = windowed("x", seconds{100});
  for (int i = 1; i <= 40; ++i) give(id, i, i);
  stage_.finish();
  const auto& quantiles = out_.summaries.at(0).quantiles;
  ASSERT_EQ(quantiles.size(), 2U);
  EXPECT_EQ(quantiles[0].rank, 0.5);
  EXPECT_EQ(quantiles[0].value, 20);
  EXPECT_EQ(quantiles[1].value, 38);
  EXPECT_EQ(stage_.counts().sketched, 0U);
}

TEST_F(AggregateTest, EstimatedQuantilesAreCounted) {
  policies_["x"].quantiles = {0.5};
  const SeriesId id = windowed("x", seconds{100});
  for (std::size_t i = 0; i <= OrderStatistics::kExactMax; ++i) give(id, 1, 1);
  stage_.finish();
  EXPECT_EQ(stage_.counts().sketched, 1U);
  EXPECT_NEAR(out_.summaries.at(0).quantiles.at(0).value, 1, 0.01);
}

TEST_F(AggregateTest, TheStepOverABorderBelongsToTheLaterWindow) {
  const SeriesId id = windowed("c", seconds{10}, SeriesKind::counter);
  give(id, 100, 1);
  give(id, 150, 9);
  give(id, 175, 11);
  stage_.advance(at(30));
  give(id, 300, 45);  // two windows without a sample lie between
  stage_.finish();
  ASSERT_EQ(out_.summaries.size(), 3U);
  EXPECT_EQ(out_.summaries[0].increase, 50);
  EXPECT_EQ(out_.summaries[1].increase, 25);
  EXPECT_EQ(out_.summaries[2].increase, 125);
}

TEST_F(AggregateTest, TheFirstSampleOfACounterTellsNoIncrease) {
  const SeriesId id = windowed("c", seconds{10}, SeriesKind::counter);
  give(id, 100, 1);
  stage_.finish();
  EXPECT_FALSE(out_.summaries.at(0).increase);
}

TEST_F(AggregateTest, AnIncreaseIsExactBeyond2To53) {
  const SeriesId id = windowed("c", seconds{10}, SeriesKind::counter);
  const std::int64_t large = (std::int64_t{1} << 60) + 1;
  give(id, large, 1);
  give(id, large + 3, 2);
  stage_.finish();
  EXPECT_EQ(out_.summaries.at(0).increase, 3);
}

TEST_F(AggregateTest, SurvivesSumsBeyondTheLargestDouble) {
  const SeriesId id = windowed("x", seconds{10});
  for (int i = 0; i < 4; ++i) give(id, 1.7e308, i);
  stage_.finish();
  EXPECT_EQ(out_.summaries.at(0).sum, std::numeric_limits<double>::infinity());
  EXPECT_EQ(out_.summaries.at(0).max.real(), 1.7e308);
}

// ---- property: any stream, against keeping everything -------------------------------------------

struct NaiveWindow {
  std::vector<double> values;
  long double increase = 0;
  std::uint32_t resets = 0;
  bool has_step = false;
};

TEST_F(AggregateTest, AgreesWithANaiveReferenceOverRandomStreams) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  for (int round = 0; round < 40; ++round) {
    const nanoseconds length{static_cast<std::int64_t>(1 + random() % 20'000'000'000)};
    const bool counter = round % 2 == 0;
    const std::string name = "s" + std::to_string(round);
    policies_[name].quantiles = {0.5, 0.95, 0.99};
    const double wraps_at = round % 4 == 0 ? 100'000 : 0;
    const SeriesId id =
        windowed(name, length, counter ? SeriesKind::counter : SeriesKind::gauge, wraps_at);

    std::map<std::int64_t, NaiveWindow> naive;
    std::int64_t time = static_cast<std::int64_t>(random() % 1'000'000'000'000);
    double gauge = 0;
    std::int64_t total = 0;
    bool first = true;
    for (int i = 0; i < 400; ++i) {
      time += static_cast<std::int64_t>(random() % 2'000'000'000);
      NaiveWindow& window = naive[time / length.count()];
      Value value;
      if (counter) {
        // The oracle knows what was really added, the stage sees values only.
        std::int64_t added = static_cast<std::int64_t>(random() % 40'000);
        if (wraps_at == 0 && random() % 20 == 0 && total > 0) {
          added = static_cast<std::int64_t>(random()) % total;
          added = std::abs(added);
          total = added;
          ++window.resets;
        } else {
          total += added;
          if (wraps_at > 0) total %= static_cast<std::int64_t>(wraps_at);
        }
        if (!first) {
          window.increase += added;
          window.has_step = true;
        }
        value = Value{total};
      } else {
        gauge += static_cast<double>(static_cast<std::int64_t>(random() % 2001) - 1000) / 7;
        value = Value{gauge};
      }
      first = false;
      window.values.push_back(value.real());
      stage_.accept({id, value, BootTime{nanoseconds{time}}});
      // Sometimes the clock closes windows, sometimes the next sample does.
      if (random() % 3 == 0) stage_.advance(BootTime{nanoseconds{time}} + Aggregate::kGrace);
    }
    stage_.finish();

    ASSERT_EQ(out_.summaries.size(), naive.size()) << "round " << round;
    auto summary = out_.summaries.begin();
    for (auto& [number, window] : naive) {
      SCOPED_TRACE("round " + std::to_string(round) + " window " + std::to_string(number));
      auto& values = window.values;
      const auto count = static_cast<long double>(values.size());
      ASSERT_EQ(summary->start.time_since_epoch().count(), number * length.count());
      ASSERT_EQ(summary->end - summary->start, length);
      ASSERT_EQ(summary->count, values.size());
      ASSERT_EQ(summary->last.real(), values.back());
      long double sum = 0;
      long double size = 0;
      for (const double v : values) {
        sum += v;
        size += std::fabs(v);
      }
      long double squares = 0;
      for (const double v : values) squares += (v - sum / count) * (v - sum / count);
      const auto stddev = static_cast<double>(std::sqrt(squares / count));
      ASSERT_NEAR(summary->sum, static_cast<double>(sum), 1e-12 * static_cast<double>(size) + 1e-300);
      ASSERT_NEAR(summary->stddev, stddev, 1e-9 * (1 + stddev));
      std::sort(values.begin(), values.end());
      ASSERT_EQ(summary->min.real(), values.front());
      ASSERT_EQ(summary->max.real(), values.back());
      for (const Quantile& quantile : summary->quantiles) {
        const auto place = static_cast<std::size_t>(
            std::ceil(quantile.rank * static_cast<double>(values.size()) - 1e-9));
        ASSERT_EQ(quantile.value, values[place - 1]) << quantile.rank;
      }
      ASSERT_EQ(summary->increase.has_value(), window.has_step);
      if (window.has_step) {
        ASSERT_EQ(*summary->increase, static_cast<double>(window.increase));
      }
      ASSERT_EQ(summary->resets, counter ? window.resets : 0U);
      ++summary;
    }
    out_.summaries.clear();
  }
  EXPECT_EQ(stage_.counts().late, 0U);
}

}  // namespace
}  // namespace fieldpost
