// SPDX-License-Identifier: Apache-2.0
// Everything comes back bit by bit; nothing damaged is believed; every bound holds at its value and not
// beyond.
#include "agent/store/segment.hpp"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "agent/store/series_dictionary.hpp"
#include "platform/crc32c.hpp"
#include "tests/agent/store/random_segment.hpp"

namespace fieldpost {
namespace {

constexpr const char* kBoot = "0123abcd-4567-89ab-cdef-0123456789ab";

std::uint64_t base_seed() {
  static const std::uint64_t seed = std::random_device{}();
  return seed;
}

/// A header whose counts are those of the content.
SegmentHeader header_for(const SegmentContent& content) {
  SegmentHeader header;
  header.epoch = 7;
  header.seq = 1;
  header.boot = kBoot;
  header.samples = static_cast<std::uint32_t>(content.samples.size());
  header.summaries = static_cast<std::uint32_t>(content.summaries.size());
  header.events = static_cast<std::uint32_t>(content.events.size());
  header.gaps = static_cast<std::uint32_t>(content.gaps.size());
  return header;
}

/// As an attacker would: the CRC is right whatever the bytes say.
void mend_crc(std::vector<std::byte>& bytes) {
  const std::span all{bytes};
  const std::uint32_t crc = crc32c(all.subspan(12), crc32c(all.first(8)));
  for (unsigned i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::byte>((crc >> (8 * i)) & 0xFFU);
}

TEST(Segment, ComesBackBitByBitWhateverItHolds) {
  constexpr std::uint64_t kSegments = 1'500;
  for (std::uint64_t i = 0; i < kSegments; ++i) {
    const std::uint64_t seed = base_seed() + i;
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomSegment made = random_segment(seed);
    const auto bytes = encode_segment(made.header, made.content);
    ASSERT_TRUE(bytes) << bytes.error().sentence();
    const auto header = decode_segment_header(*bytes);
    ASSERT_TRUE(header) << header.error().sentence();
    ASSERT_EQ(difference(made.header, *header), "");
    const auto content = decode_segment_content(*bytes);
    ASSERT_TRUE(content) << content.error().sentence();
    ASSERT_EQ(difference(made.content, *content), "");
  }
}

TEST(Segment, IsTheSameBytesForTheSameContent) {
  const RandomSegment made = random_segment(42);
  EXPECT_EQ(*encode_segment(made.header, made.content), *encode_segment(made.header, made.content));
}

TEST(Segment, IsRefusedWithAnyByteInverted) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const RandomSegment made = random_segment(seed);
    const auto bytes = *encode_segment(made.header, made.content);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto damaged = bytes;
      damaged[i] ^= std::byte{0xFF};
      ASSERT_FALSE(decode_segment_header(damaged)) << "seed " << seed << " byte " << i;
      ASSERT_FALSE(decode_segment_content(damaged)) << "seed " << seed << " byte " << i;
    }
  }
}

TEST(Segment, IsRefusedWithAnyBitFlipped) {
  const RandomSegment made = random_segment(5);
  const auto bytes = *encode_segment(made.header, made.content);
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i / 8] ^= static_cast<std::byte>(1U << (i % 8));
    ASSERT_FALSE(decode_segment_header(damaged)) << "bit " << i;
  }
}

TEST(Segment, IsRefusedWhenCutOrContinuedAnywhere) {
  const RandomSegment made = random_segment(6);
  const auto bytes = *encode_segment(made.header, made.content);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::span cut = std::span{bytes}.first(length);
    ASSERT_FALSE(decode_segment_header(cut)) << "length " << length;
    ASSERT_FALSE(decode_segment_content(cut)) << "length " << length;
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_segment_header(longer));
}

TEST(Segment, SurvivesDamageThatBearsARightCrc) {
  // No promise but to come back: with sanitizers this is the fuzz target in small. Without them it sees less, and under QEMU takes
  // ten times as long.
#ifdef __SANITIZE_ADDRESS__
  constexpr int kRounds = 6'000;
#else
  constexpr int kRounds = 600;
#endif
  std::mt19937_64 chance{base_seed()};
  for (int round = 0; round < kRounds; ++round) {
    const RandomSegment made = random_segment(chance() % 64);
    auto bytes = *encode_segment(made.header, made.content);
    for (std::uint64_t hits = chance() % 4 + 1; hits > 0; --hits) {
      bytes[chance() % bytes.size()] = static_cast<std::byte>(chance());
    }
    mend_crc(bytes);
    static_cast<void>(decode_segment_content(bytes));
  }
}

TEST(Segment, CostsNextToNothingForSamplesThatDoNotChange) {
  SegmentContent content;
  Series series;
  series.name = "node_memory_MemTotal_bytes";
  content.series = {series};
  const auto with = [&content](int samples) {
    content.samples.clear();
    for (int i = 0; i < samples; ++i) content.samples.push_back({SeriesId{0}, 8'123'456'789, BootTime{seconds{i}}, Quality::good});
    return encode_segment(header_for(content), content)->size();
  };
  EXPECT_LE(with(10'000), with(10) + 10);
}

TEST(Segment, RefusesAHeaderThatDoesNotCountItsContent) {
  SegmentContent content;
  content.events.emplace_back();
  SegmentHeader header = header_for(content);
  header.events = 0;
  const auto refused = encode_segment(header, content);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Bug);
}

TEST(Segment, RefusesSamplesOfNoSeriesOrOutOfOrder) {
  SegmentContent content;
  content.series.resize(2);
  content.samples = {{SeriesId{2}, 1, {}, Quality::good}};
  EXPECT_EQ(encode_segment(header_for(content), content).error().kind(), ErrorKind::Bug);
  content.samples = {{SeriesId{1}, 1, {}, Quality::good}, {SeriesId{0}, 1, {}, Quality::good}};
  EXPECT_EQ(encode_segment(header_for(content), content).error().kind(), ErrorKind::Bug);
}

TEST(Segment, RefusesABootIdThatIsNoUuid) {
  SegmentHeader header = header_for({});
  for (const char* wrong : {"", "0123abcd", "0123ABCD-4567-89ab-cdef-0123456789ab", "0123abcd-4567-89ab-cdef-0123456789a-"}) {
    header.boot = wrong;
    EXPECT_FALSE(encode_segment(header, SegmentContent{})) << wrong;
  }
}

/// The bound itself is taken, one more is refused as OutOfRange.
void expect_bound(const SegmentContent& at_bound, const SegmentContent& beyond) {
  const auto bytes = encode_segment(header_for(at_bound), at_bound);
  ASSERT_TRUE(bytes) << bytes.error().sentence();
  const auto back = decode_segment_content(*bytes);
  ASSERT_TRUE(back) << back.error().sentence();
  EXPECT_EQ(difference(at_bound, *back), "");
  const auto refused = encode_segment(header_for(beyond), beyond);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::OutOfRange);
}

TEST(SegmentBounds, OfSamples) {
  SegmentContent content;
  content.series.resize(1);
  for (std::size_t i = 0; i < kSegmentSamplesMax; ++i) content.samples.push_back({SeriesId{0}, i % 7, BootTime{seconds{i}}, Quality::good});
  SegmentContent beyond = content;
  beyond.samples.push_back(beyond.samples.back());
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfSummaries) {
  SegmentContent content;
  content.series.resize(1);
  content.summaries.resize(kSegmentSummariesMax);
  SegmentContent beyond = content;
  beyond.summaries.emplace_back();
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfQuantiles) {
  SegmentContent content;
  content.series.resize(1);
  content.summaries.resize(1);
  content.summaries[0].quantiles.resize(kSummaryQuantilesMax);
  SegmentContent beyond = content;
  beyond.summaries[0].quantiles.emplace_back();
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfEvents) {
  SegmentContent content;
  content.events.resize(kSegmentEventsMax);
  SegmentContent beyond = content;
  beyond.events.emplace_back();
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfGaps) {
  SegmentContent content;
  content.gaps.resize(kSegmentGapsMax);
  SegmentContent beyond = content;
  beyond.gaps.emplace_back();
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfAnEventsTexts) {
  SegmentContent content;
  content.events.resize(1);
  content.events[0].message.assign(kEventTextBytesMax, 'm');
  content.events[0].labels.assign(kSeriesLabelsMax, {"a", "b"});
  SegmentContent beyond = content;
  beyond.events[0].message += 'm';
  expect_bound(content, beyond);
  beyond = content;
  beyond.events[0].labels.push_back({"a", "b"});
  expect_bound(content, beyond);
}

TEST(SegmentBounds, OfASeriesTexts) {
  SegmentContent content;
  content.series.resize(1);
  content.series[0].name.assign(kSeriesBytesMax, 'n');
  SegmentContent beyond = content;
  beyond.series[0].name += 'n';
  expect_bound(content, beyond);
}

TEST(Epoch, IsWrittenAsSixteenDigits) {
  EXPECT_EQ(to_text(Epoch{0xAB}), "00000000000000ab");
  EXPECT_EQ(to_text(~Epoch{0}), "ffffffffffffffff");
}

}  // namespace
}  // namespace fieldpost
