// SPDX-License-Identifier: Apache-2.0
// No reading is left out and no segment's message gets too long.
#include "agent/store/segment_builder.hpp"

#include <random>

#include <gtest/gtest.h>

#include "agent/store/message_size.hpp"

namespace fieldpost {
namespace {

constexpr const char* kBoot = "0123abcd-4567-89ab-cdef-0123456789ab";

class SegmentBuilderTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 50; ++i) {
      Series series;
      series.name = "node_thing_" + std::to_string(i);
      series.help = "not kept";
      ids_.push_back(table_.add(series).value());
    }
  }

  std::vector<EncodedSegment> build(std::size_t message_bytes_max) {
    return SegmentBuilder{table_, message_bytes_max}.build(Lane::live, batch_, identity_, oversize_);
  }

  SeriesTable table_;
  std::vector<SeriesId> ids_;
  Batch batch_;
  SegmentBuilder::Identity identity_{.epoch = 3, .seq = 10, .boot = kBoot};
  Gap oversize_;
};

TEST_F(SegmentBuilderTest, MakesNothingOfNothing) {
  EXPECT_TRUE(build(100'000).empty());
  EXPECT_EQ(identity_.seq, 10U);
}

TEST_F(SegmentBuilderTest, OrdersBySeriesAndTimeAndNumbersTheSeriesItNeeds) {
  for (int second = 3; second > 0; --second) {
    for (const int series : {40, 7}) batch_.add(Sample{ids_[static_cast<std::size_t>(series)], second, BootTime{seconds{second}}, Quality::good});
  }
  const auto segments = build(100'000);
  ASSERT_EQ(segments.size(), 1U);
  const auto content = decode_segment_content(segments[0].bytes).value();
  ASSERT_EQ(content.series.size(), 2U);
  EXPECT_EQ(content.series[0].name, "node_thing_7");
  EXPECT_EQ(content.series[0].help, "");
  ASSERT_EQ(content.samples.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(index(content.samples[i].series), i / 3);
    EXPECT_EQ(content.samples[i].time, BootTime{seconds{1 + static_cast<int>(i % 3)}});
  }
  EXPECT_EQ(segments[0].header.seq, 11U);
  EXPECT_EQ(segments[0].header.first, BootTime{seconds{1}});
  EXPECT_EQ(segments[0].header.last, BootTime{seconds{3}});
}

TEST_F(SegmentBuilderTest, CutsWhatIsTooLongIntoSegmentsThatFitWithoutLosingAny) {
  std::mt19937_64 chance{5};
  for (int i = 0; i < 20'000; ++i) {
    batch_.add(Sample{ids_[chance() % ids_.size()], static_cast<double>(chance()), BootTime{milliseconds{i}}, Quality::good});
  }
  for (int i = 0; i < 100; ++i) {
    Summary summary;
    summary.series = ids_[chance() % ids_.size()];
    summary.count = 1;
    batch_.add(summary);
    Event event;
    event.name = "e";
    event.message = std::string(500, 'm');
    batch_.add(event);
  }
  constexpr std::size_t kMessageBytesMax = 60'000;
  const auto segments = build(kMessageBytesMax);
  std::size_t samples = 0;
  std::size_t summaries = 0;
  std::size_t events = 0;
  std::uint64_t seq = 10;
  for (const EncodedSegment& segment : segments) {
    EXPECT_EQ(segment.header.seq, ++seq);
    const auto content = decode_segment_content(segment.bytes).value();
    samples += content.samples.size();
    summaries += content.summaries.size();
    events += content.events.size();
    std::vector<const Series*> series;
    for (const Series& one : content.series) series.push_back(&one);
    EXPECT_LE(message_bytes_bound(segment.header.first, {.series = series, .samples = content.samples,
                                                         .summaries = content.summaries, .events = content.events, .gaps = {}}),
              kMessageBytesMax);
  }
  EXPECT_EQ(identity_.seq, seq);
  EXPECT_EQ(samples, 20'000U);
  EXPECT_EQ(summaries, 100U);
  EXPECT_EQ(events, 100U);
  EXPECT_EQ(oversize_.readings, 0U);
}

TEST_F(SegmentBuilderTest, CutsBetweenSeriesSoThatNoneIsNamedTwice) {
  for (int second = 0; second < 10; ++second) {
    for (const SeriesId id : ids_) batch_.add(Sample{id, second, BootTime{seconds{second}}, Quality::good});
  }
  const auto segments = build(6'000);
  EXPECT_GT(segments.size(), 1U);
  EXPECT_LT(segments.size(), 4U);
  std::size_t series = 0;
  for (const auto& segment : segments) {
    const auto content = decode_segment_content(segment.bytes).value();
    series += content.series.size();
    EXPECT_EQ(content.samples.size(), 10 * content.series.size());
  }
  EXPECT_EQ(series, ids_.size());
}

TEST_F(SegmentBuilderTest, LeavesOutOnlyWhatNoMessageCanHold) {
  Series monster;
  monster.name = "monster";
  monster.labels = {{"l", std::string(5'000, 'x')}};
  const auto id = table_.add(monster).value();
  batch_.add(Sample{ids_[0], 1, BootTime{seconds{1}}, Quality::good});
  batch_.add(Sample{id, 2, BootTime{seconds{2}}, Quality::good});
  batch_.add(Sample{ids_[1], 3, BootTime{seconds{3}}, Quality::good});
  std::size_t samples = 0;
  for (const auto& segment : build(100'000)) samples += segment.header.samples;
  EXPECT_EQ(samples, 2U);
  EXPECT_EQ(oversize_.readings, 1U);
  EXPECT_EQ(oversize_.first, BootTime{seconds{2}});
}

TEST_F(SegmentBuilderTest, MakesASegmentOfGapsInTheEventLane) {
  const Gap gaps[] = {{.cause = Gap::Cause::quota, .lane = Lane::bulk, .readings = 5}};
  const auto segment = SegmentBuilder{table_, 100'000}.build(gaps, identity_, BootTime{seconds{9}});
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->header.lane, Lane::event);
  EXPECT_EQ(segment->header.gaps, 1U);
  EXPECT_EQ(segment->header.readings(), 0U);
  EXPECT_EQ(identity_.seq, 11U);
}

}  // namespace
}  // namespace fieldpost
