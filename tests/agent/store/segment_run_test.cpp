// SPDX-License-Identifier: Apache-2.0
// What goes together, what does not, and what comes of it.
#include "agent/store/segment_run.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/agent/store/random_segment.hpp"

namespace fieldpost {
namespace {

constexpr const char* kBoot = "0123abcd-4567-89ab-cdef-0123456789ab";

Series series(std::string name, SeriesKind kind = SeriesKind::counter) {
  Series made;
  made.name = std::move(name);
  made.kind = kind;
  return made;
}

std::vector<std::byte> segment(const std::vector<Series>& of, std::int64_t first, std::vector<Value> values) {
  SegmentContent content;
  content.series = of;
  SegmentHeader header;
  header.seq = 1;
  header.boot = kBoot;
  for (std::size_t i = 0; i < of.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      content.samples.push_back({SeriesId{static_cast<std::uint32_t>(i)}, values[j], BootTime{seconds{first + static_cast<std::int64_t>(j)}}, Quality::good});
    }
  }
  header.samples = static_cast<std::uint32_t>(content.samples.size());
  header.first = BootTime{seconds{first}};
  header.last = header.first;
  return encode_segment(header, content).value();
}

SegmentContent built(SegmentRun& run) {
  Gap oversize;
  const auto segments = run.build(Lane::live, 7, kBoot, oversize);
  EXPECT_EQ(segments.size(), 1U);
  EXPECT_EQ(oversize.readings, 0U);
  return decode_segment_content(segments.at(0).bytes).value();
}

TEST(SegmentRun, PutsTheSamplesOfASeriesOneAfterTheOtherWhereverItStood) {
  SegmentRun run{120'000, std::nullopt};
  ASSERT_TRUE(run.add(segment({series("a"), series("b")}, 0, {1, 2})).value());
  ASSERT_TRUE(run.add(segment({series("b"), series("c")}, 2, {3, 4.5})).value());
  const SegmentContent content = built(run);
  ASSERT_EQ(content.series.size(), 3U);
  ASSERT_EQ(content.samples.size(), 8U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(content.series[index(content.samples[2 + i].series)].name, "b");
    EXPECT_EQ(content.samples[2 + i].time, BootTime{seconds{static_cast<int>(i)}});
  }
  EXPECT_EQ(content.samples[5].value.real(), 4.5);
}

TEST(SegmentRun, EndsWhereASeriesChangesItsKindAndWhereTheMessageIsFull) {
  SegmentRun run{120'000, std::nullopt};
  ASSERT_TRUE(run.add(segment({series("a")}, 0, {1})).value());
  EXPECT_FALSE(run.add(segment({series("a", SeriesKind::gauge)}, 1, {1})).value());
  EXPECT_EQ(built(run).samples.size(), 1U);

  SegmentRun small{2'000, std::nullopt};
  int taken = 0;
  while (small.add(segment({series("a")}, 10 * taken, {1, 2, 3, 4, 5})).value()) ++taken;
  EXPECT_GT(taken, 5);
  EXPECT_EQ(built(small).samples.size(), 5U * static_cast<std::size_t>(taken));
}

TEST(SegmentRun, RefusesWhatIsDamagedAndGoesOnWithoutIt) {
  SegmentRun run{120'000, std::nullopt};
  auto bytes = segment({series("a")}, 0, {1});
  bytes.back() ^= std::byte{1};
  const auto added = run.add(bytes);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().kind(), ErrorKind::Malformed);
  ASSERT_TRUE(run.add(segment({series("a")}, 0, {1})).value());
  EXPECT_EQ(built(run).samples.size(), 1U);
}

TEST(SegmentRun, SumsUpAWindowOverSegmentsAndLeavesWhatIsNoNumber) {
  SegmentRun run{120'000, seconds{60}};
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(run.add(segment({series("a")}, 60 + 10 * i, {i, 100 + i, 3})).value());
  ASSERT_TRUE(run.add(segment({series("a")}, 121, {std::nan("")})).value());
  EXPECT_EQ(run.thinned(), 18U);
  const SegmentContent content = built(run);
  ASSERT_EQ(content.samples.size(), 1U);
  EXPECT_TRUE(std::isnan(content.samples[0].value.real()));
  ASSERT_EQ(content.summaries.size(), 1U);
  const Summary& summary = content.summaries[0];
  EXPECT_EQ(summary.start, BootTime{seconds{60}});
  EXPECT_EQ(summary.end, BootTime{seconds{120}});
  EXPECT_EQ(summary.count, 18U);
  EXPECT_EQ(summary.min.integer(), 0);
  EXPECT_EQ(summary.max.integer(), 105);
  EXPECT_EQ(summary.last.integer(), 3);
  EXPECT_EQ(summary.sum, 15 + 615 + 18);
  EXPECT_FALSE(summary.increase) << "the counter fell, and nobody here knows whether it wrapped";
}

TEST(SegmentRun, KeepsEverythingOfRandomSegments) {
  int taken = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RandomSegment made = random_plain_segment(seed);
    made.content.gaps.clear();
    made.header.gaps = 0;
    SegmentRun run{std::size_t{64} << 20U, std::nullopt};
    if (!run.add(encode_segment(made.header, made.content).value()).value()) continue;  // one series twice, with two units
    ++taken;
    Gap oversize;
    std::uint64_t readings = 0;
    for (const auto& segment : run.build(made.header.lane, 7, kBoot, oversize)) readings += segment.header.readings();
    EXPECT_EQ(readings, made.header.readings()) << "seed " << seed;
  }
  EXPECT_GT(taken, 20);
}

}  // namespace
}  // namespace fieldpost
