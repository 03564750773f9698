// SPDX-License-Identifier: Apache-2.0
// Figures become samples of the right series, whatever their order.
#include "agent/self/self_source.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "agent/self/self_metrics.hpp"

namespace fieldpost {
namespace {

class SampleList final : public SampleSink {
 public:
  void accept(const Sample& sample) override { samples.push_back(sample); }
  std::vector<Sample> samples;
};

TEST(SelfSource, GivesEachFigureToItsSeries) {
  SeriesTable table;
  std::vector<SelfFigure> figures{{&self::kSamplesRead, 7},
                                  {&self::kWaiting, 1, {{"lane", "alert"}}},
                                  {&self::kWaiting, 2, {{"lane", "live"}}}};
  SelfSource source{table, [&] { return figures; }};
  SampleList list;
  ASSERT_TRUE(source.read(list, BootTime{seconds{5}}));
  ASSERT_EQ(list.samples.size(), 3U);
  EXPECT_EQ(to_text(table[list.samples[0].series]), "fieldpost_samples_read_total");
  EXPECT_EQ(table[list.samples[0].series].kind, SeriesKind::counter);
  EXPECT_EQ(to_text(table[list.samples[1].series]), "fieldpost_outbox_waiting_readings{lane=\"alert\"}");
  EXPECT_EQ(list.samples[2].value.integer(), 2);
  EXPECT_EQ(list.samples[2].time, BootTime{seconds{5}});
}

TEST(SelfSource, KeepsTheSeriesWhenAFigureComesOrGoes) {
  SeriesTable table;
  std::vector<SelfFigure> figures{{&self::kWaiting, 1, {{"lane", "alert"}}},
                                  {&self::kWaiting, 2, {{"lane", "live"}}}};
  SelfSource source{table, [&] { return figures; }};
  SampleList list;
  ASSERT_TRUE(source.read(list, BootTime{}));
  figures.erase(figures.begin());
  ASSERT_TRUE(source.read(list, BootTime{}));
  ASSERT_EQ(list.samples.size(), 3U);
  EXPECT_EQ(list.samples[2].series, list.samples[1].series);
  EXPECT_EQ(table.size(), 2U);
}

TEST(SelfSource, SaysWhenTheTableHasNoRoom) {
  SeriesTable table;
  for (std::size_t i = 0; i < SeriesTable::kSeriesMax; ++i) {
    Series series;
    series.name = "s" + std::to_string(i);
    ASSERT_TRUE(table.add(std::move(series)));
  }
  SelfSource source{table, [] { return std::vector<SelfFigure>{{&self::kSamplesRead, 7}}; }};
  SampleList list;
  const auto read = source.read(list, BootTime{});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind(), ErrorKind::Full);
  EXPECT_TRUE(list.samples.empty());
}

}  // namespace
}  // namespace fieldpost
