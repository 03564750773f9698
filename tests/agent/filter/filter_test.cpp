// SPDX-License-Identifier: Apache-2.0
// What the filter believes, withholds, derives and counts.
#include "agent/filter/filter.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace fieldpost {
namespace {

using std::chrono::seconds;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct SampleList final : SampleSink {
  std::vector<Sample> samples;
  void accept(const Sample& sample) override { samples.push_back(sample); }
};

class FilterTest : public testing::Test {
 protected:
  SeriesId add(std::string name, SeriesKind kind = SeriesKind::gauge, double wraps_at = 0) {
    Series series;
    series.name = std::move(name);
    series.kind = kind;
    series.wraps_at = wraps_at;
    series.unit = "bytes";
    series.labels = {{"device", "eth0"}};
    return *table_.add(std::move(series));
  }

  void give(SeriesId id, Value value, double at_seconds, Quality quality = Quality::good) {
    const auto at = std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>{at_seconds});
    filter_.accept({id, value, BootTime{at}, quality});
  }

  std::vector<double> values() const {
    std::vector<double> result;
    for (const Sample& sample : out_.samples) result.push_back(sample.value.real());
    return result;
  }

  void expect_counts_add_up() const {
    const FilterCounts& c = filter_.counts();
    EXPECT_EQ(c.received, c.passed + c.unwanted + c.not_finite + c.out_of_range + c.deadband +
                              c.interval + c.replaced);
    EXPECT_EQ(c.passed, out_.samples.size());
  }

  SeriesTable table_;
  SampleList out_;
  std::map<std::string, FilterOptions> policies_;
  int asked_ = 0;
  Filter filter_{table_,
                 [this](const Series& series) {
                   ++asked_;
                   return policies_[series.name];
                 },
                 out_};
};

TEST_F(FilterTest, PassesASampleUnchangedWithoutAPolicy) {
  const SeriesId id = add("x");
  const std::int64_t exact = (std::int64_t{1} << 60) + 1;
  give(id, exact, 1);
  ASSERT_EQ(out_.samples.size(), 1U);
  EXPECT_TRUE(out_.samples[0].value.is_integer());
  EXPECT_EQ(out_.samples[0].value.integer(), exact);
  EXPECT_EQ(out_.samples[0].quality, Quality::good);
  expect_counts_add_up();
}

TEST_F(FilterTest, AsksForThePolicyOnceASeries) {
  const SeriesId a = add("a");
  const SeriesId b = add("b");
  for (int i = 0; i < 10; ++i) {
    give(a, i, i);
    give(b, i, i);
  }
  EXPECT_EQ(asked_, 2);
}

TEST_F(FilterTest, AsksAgainAfterForget) {
  const SeriesId id = add("a");
  give(id, 1, 1);
  policies_["a"].drop = true;
  give(id, 2, 2);
  filter_.forget();
  give(id, 3, 3);
  EXPECT_EQ(values(), (std::vector<double>{1, 2}));
  EXPECT_EQ(filter_.counts().unwanted, 1U);
  expect_counts_add_up();
}

TEST_F(FilterTest, DropsAndCountsWhatIsNoFiniteNumber) {
  const SeriesId id = add("x");
  give(id, std::nan(""), 1);
  give(id, kInfinity, 2);
  give(id, -kInfinity, 3);
  give(id, 4.0, 4);
  EXPECT_EQ(values(), (std::vector<double>{4}));
  EXPECT_EQ(filter_.counts().not_finite, 3U);
  expect_counts_add_up();
}

TEST_F(FilterTest, CalibrationThatOverflowsIsDroppedAndCounted) {
  policies_["x"].scale = 1e300;
  const SeriesId id = add("x");
  give(id, 1e300, 1);
  EXPECT_TRUE(out_.samples.empty());
  EXPECT_EQ(filter_.counts().not_finite, 1U);
}

TEST_F(FilterTest, CalibratesIntegersExactlyWhereTheNumbersAreWhole) {
  policies_["x"].scale = 3;
  policies_["x"].offset = -1;
  const SeriesId id = add("x");
  const std::int64_t large = (std::int64_t{1} << 60) + 1;
  give(id, large, 1);
  ASSERT_TRUE(out_.samples[0].value.is_integer());
  EXPECT_EQ(out_.samples[0].value.integer(), large * 3 - 1);
  give(id, INT64_MAX, 2);  // does not fit: a real it is
  ASSERT_FALSE(out_.samples[1].value.is_integer());
  EXPECT_DOUBLE_EQ(out_.samples[1].value.real(), 3 * 0x1p63);
  give(id, 0.5, 3);
  EXPECT_EQ(out_.samples[2].value.real(), 0.5);
}

TEST_F(FilterTest, CalibratesByFractionsAsReals) {
  policies_["x"].scale = 0.1;
  policies_["x"].offset = 2;
  const SeriesId id = add("x");
  give(id, 50, 1);
  EXPECT_DOUBLE_EQ(out_.samples[0].value.real(), 7);
}

TEST_F(FilterTest, LeavesACountersOwnNumbersAlone) {
  policies_["x_total"].scale = 512;
  const SeriesId id = add("x_total", SeriesKind::counter);
  give(id, 7, 1);
  EXPECT_EQ(out_.samples[0].value.integer(), 7);
}

TEST_F(FilterTest, MarksWhatLiesOutsideTheSeriesOwnRange) {
  Series series;
  series.name = "t";
  series.valid_range = ValidRange{-40, 125};
  const SeriesId id = *table_.add(series);
  give(id, -40.0, 1);
  give(id, 125.0, 2);
  give(id, 125.1, 3);
  give(id, -41, 4);
  ASSERT_EQ(out_.samples.size(), 4U);
  EXPECT_EQ(out_.samples[1].quality, Quality::good);
  EXPECT_EQ(out_.samples[2].quality, Quality::suspect);
  EXPECT_EQ(out_.samples[3].quality, Quality::suspect);
  EXPECT_EQ(filter_.counts().suspect, 2U);
  expect_counts_add_up();
}

TEST_F(FilterTest, DropsWhatLiesOutsideTheConfiguredRangeAfterCalibration) {
  policies_["t"].scale = 2;
  policies_["t"].valid_range = ValidRange{0, 100};
  policies_["t"].out_of_range = FilterOptions::OutOfRange::drop;
  const SeriesId id = add("t");
  give(id, 50, 1);
  give(id, 51, 2);
  give(id, -1, 3);
  EXPECT_EQ(values(), (std::vector<double>{100}));
  EXPECT_EQ(filter_.counts().out_of_range, 2U);
  expect_counts_add_up();
}

TEST_F(FilterTest, ASubstitutedSampleOutsideItsRangeStaysSubstituted) {
  policies_["t"].valid_range = ValidRange{0, 1};
  const SeriesId id = add("t");
  give(id, 5, 1, Quality::substituted);
  EXPECT_EQ(out_.samples[0].quality, Quality::substituted);
}

TEST_F(FilterTest, TheMedianOfThreeRemovesASingleSpikeAndKeepsAStep) {
  policies_["x"].median_of_three = true;
  const SeriesId id = add("x");
  double t = 0;
  for (const double v : {1.0, 1.0, 99.0, 1.0, 1.0, 5.0, 5.0, 5.0}) give(id, v, ++t);
  EXPECT_EQ(values(), (std::vector<double>{1, 1, 1, 1, 1, 1, 5, 5}));
}

TEST_F(FilterTest, TheMedianOfThreeIsTheMiddleOfEveryOrder) {
  policies_["x"].median_of_three = true;
  for (const auto& order : std::vector<std::vector<int>>{
           {1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}}) {
    filter_.forget();
    const SeriesId id = add("x");
    for (int i = 0; i < 3; ++i) give(id, order[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(out_.samples.back().value.integer(), 2);
  }
}

TEST_F(FilterTest, TheFirstSamplePassesEveryDeadband) {
  policies_["x"].deadband = Deadband{1e9, 1e9, seconds{0}};
  const SeriesId gauge = add("x");
  give(gauge, 1, 1);
  give(gauge, 2, 2);
  EXPECT_EQ(values(), (std::vector<double>{1}));
  EXPECT_EQ(filter_.counts().deadband, 1U);
}

TEST_F(FilterTest, ADeadbandOfZeroPassesEveryChangeAndNothingElse) {
  policies_["x"].deadband = Deadband{0, 0, seconds{0}};
  const SeriesId id = add("x");
  double t = 0;
  for (const double v : {1.0, 1.0, 1.0000001, 1.0000001, 1.0}) give(id, v, ++t);
  EXPECT_EQ(values(), (std::vector<double>{1, 1.0000001, 1}));
  expect_counts_add_up();
}

TEST_F(FilterTest, TheDeadbandComparesCalibratedValues) {
  policies_["x"].scale = 10;
  policies_["x"].deadband = Deadband{5, 0, seconds{0}};
  const SeriesId id = add("x");
  double t = 0;
  for (const double v : {1.0, 1.4, 1.6}) give(id, v, ++t);
  EXPECT_EQ(values(), (std::vector<double>{10, 16}));
}

TEST_F(FilterTest, ARelativeDeadbandGrowsWithTheValue) {
  policies_["x"].deadband = Deadband{0, 0.1, seconds{0}};
  const SeriesId id = add("x");
  double t = 0;
  for (const double v : {100.0, 109.0, 111.0, 121.0, 123.0}) give(id, v, ++t);
  EXPECT_EQ(values(), (std::vector<double>{100, 111, 123}));
}

TEST_F(FilterTest, TheHeartbeatPassesAnUnchangedCounterToo) {
  policies_["x_total"].deadband = Deadband{0, 0, seconds{10}};
  const SeriesId id = add("x_total", SeriesKind::counter);
  for (int t = 0; t <= 25; ++t) give(id, 5, t);
  ASSERT_EQ(out_.samples.size(), 3U);
  EXPECT_EQ(out_.samples[1].time, BootTime{seconds{10}});
  EXPECT_EQ(out_.samples[2].time, BootTime{seconds{20}});
}

TEST_F(FilterTest, AChangeOfQualityPassesTheDeadband) {
  policies_["x"].deadband = Deadband{10, 0, seconds{0}};
  const SeriesId id = add("x");
  give(id, 1, 1);
  give(id, 1, 2, Quality::suspect);
  give(id, 1, 3, Quality::suspect);
  give(id, 1, 4);
  EXPECT_EQ(out_.samples.size(), 3U);
}

// Property: whoever holds the last value passed is never off by more than the band.
TEST_F(FilterTest, TheDeadbandNeverWithholdsAChangeLargerThanTheBand) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::uniform_real_distribution<double> step{-2, 2};
  for (int round = 0; round < 50; ++round) {
    const double absolute = round % 2 == 0 ? 0.0 : std::fabs(step(random));
    const double relative = round % 3 == 0 ? 0.0 : std::fabs(step(random)) / 20;
    policies_["x"].deadband = Deadband{absolute, relative, seconds{0}};
    filter_.forget();
    const SeriesId id = add("x");
    double value = 10 * step(random);
    std::size_t withheld = 0;
    for (int i = 0; i < 500; ++i) {
      const Value next = round % 5 == 0 ? Value{static_cast<std::int64_t>(value * 10)} : Value{value};
      const std::size_t before = out_.samples.size();
      const Value held = before == 0 || i == 0 ? next : out_.samples.back().value;
      give(id, next, i);
      const double band = std::max(absolute, relative * std::fabs(held.real()));
      const double change = std::fabs(next.real() - held.real());
      const bool passed = out_.samples.size() > before;
      if (i == 0) {
        ASSERT_TRUE(passed);
      } else {
        ASSERT_EQ(passed, change > band) << "held " << held.real() << " given " << next.real();
      }
      if (!passed) ++withheld;
      value += step(random);
    }
    EXPECT_LT(withheld, 500U);
  }
  expect_counts_add_up();
}

TEST_F(FilterTest, TheRateLimitPassesOneSampleAnInterval) {
  policies_["x"].interval_min = seconds{10};
  const SeriesId id = add("x");
  for (int t = 0; t <= 30; ++t) give(id, t, t);
  EXPECT_EQ(values(), (std::vector<double>{0, 10, 20, 30}));
  EXPECT_EQ(filter_.counts().interval, 27U);
  expect_counts_add_up();
}

TEST_F(FilterTest, TheRateLimitLetsEachReadOfASlowSourcePass) {
  policies_["x"].interval_min = seconds{1};
  const SeriesId id = add("x");
  // Read every second, each a little late, and not equally so.
  for (const double t : {0.100, 1.001, 2.010, 3.000, 4.110, 5.002}) give(id, t, t);
  EXPECT_EQ(values().size(), 6U);
}

TEST_F(FilterTest, AnExtraRateIsAGaugeBesideItsCounter) {
  policies_["rx_bytes_total"].rate = FilterOptions::Rate::extra;
  const SeriesId id = add("rx_bytes_total", SeriesKind::counter);
  give(id, 1000, 10);
  give(id, 1500, 12);
  ASSERT_EQ(out_.samples.size(), 3U);
  const Series& rate = table_[out_.samples[1].series];
  EXPECT_EQ(to_text(rate), R"(rx_bytes_per_second{device="eth0"})");
  EXPECT_EQ(rate.unit, "bytes_per_second");
  EXPECT_EQ(rate.kind, SeriesKind::gauge);
  EXPECT_EQ(out_.samples[1].value.real(), 250);
  EXPECT_EQ(out_.samples[1].time, BootTime{seconds{12}});
  EXPECT_EQ(out_.samples[2].value.integer(), 1500);
  expect_counts_add_up();
}

TEST_F(FilterTest, AReplacingRateKeepsTheCounterBackAndIsScaled) {
  policies_["sectors_total"].rate = FilterOptions::Rate::replace;
  policies_["sectors_total"].scale = 512;
  const SeriesId id = add("sectors_total", SeriesKind::counter);
  for (int t = 0; t < 4; ++t) give(id, 10 * t, t);
  EXPECT_EQ(values(), (std::vector<double>{5120, 5120, 5120}));
  EXPECT_EQ(filter_.counts().replaced, 4U);
  EXPECT_EQ(filter_.counts().derived, 3U);
  expect_counts_add_up();
}

TEST_F(FilterTest, ARateHasAPolicyOfItsOwnAndSeesWhatTheDeadbandWithholds) {
  policies_["c_total"].rate = FilterOptions::Rate::extra;
  policies_["c_total"].deadband = Deadband{1e9, 0, seconds{0}};
  policies_["c_per_second"].scale = 60;
  policies_["c_per_second"].interval_min = seconds{2};
  const SeriesId id = add("c_total", SeriesKind::counter);
  for (int t = 0; t < 6; ++t) give(id, t * t, t);
  // The counter once, then the rates at 1, 3 and 5 s, each over its own last second.
  EXPECT_EQ(values(), (std::vector<double>{0, 60 * 1.0, 60 * 5.0, 60 * 9.0}));
  expect_counts_add_up();
}

TEST_F(FilterTest, ARateIsRightOverWrapsAndResets) {
  policies_["c_total"].rate = FilterOptions::Rate::replace;
  const SeriesId id = add("c_total", SeriesKind::counter, 0x1p32);
  give(id, 0xFFFFFFFF, 1);
  give(id, 9, 2);   // wrapped: 10
  give(id, 29, 3);  // 20
  give(id, 3, 4);   // reset: 3
  EXPECT_EQ(values(), (std::vector<double>{10, 20, 3}));
}

TEST_F(FilterTest, ARateNeedsTimeToPass) {
  policies_["c_total"].rate = FilterOptions::Rate::replace;
  const SeriesId id = add("c_total", SeriesKind::counter);
  give(id, 1, 5);
  give(id, 2, 5);
  give(id, 3, 4);
  give(id, 11, 6);
  EXPECT_EQ(values(), (std::vector<double>{10}));
}

TEST_F(FilterTest, AFullSeriesTableCostsTheRateAndNothingElse) {
  policies_["c_total"].rate = FilterOptions::Rate::extra;
  const SeriesId id = add("c_total", SeriesKind::counter);
  for (std::size_t i = table_.size(); i < SeriesTable::kSeriesMax; ++i) add("s" + std::to_string(i));
  give(id, 1, 1);
  give(id, 2, 2);
  EXPECT_EQ(values(), (std::vector<double>{1, 2}));
  EXPECT_EQ(filter_.counts().series_full, 1U);
  expect_counts_add_up();
}

TEST_F(FilterTest, ManyCountersGetTheirRatesWhileTheTableGrows) {
  std::vector<SeriesId> ids;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "c" + std::to_string(i) + "_total";
    policies_[name].rate = FilterOptions::Rate::extra;
    ids.push_back(add(name, SeriesKind::counter));
  }
  for (int t = 0; t < 3; ++t) {
    for (std::size_t i = 0; i < ids.size(); ++i) give(ids[i], t * static_cast<int>(i), t);
  }
  EXPECT_EQ(filter_.counts().derived, 600U);
  for (const Sample& sample : out_.samples) {
    const Series& series = table_[sample.series];
    if (!series.name.ends_with("_per_second")) continue;
    EXPECT_EQ(series.name, "c" + std::to_string(static_cast<int>(sample.value.real())) + "_per_second");
  }
  expect_counts_add_up();
}

}  // namespace
}  // namespace fieldpost
