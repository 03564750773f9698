// SPDX-License-Identifier: Apache-2.0
// The sections together: what the writer refuses, and what the reader does not believe. Round trips of random
// contents are segment_test's.
#include "agent/store/segment_body.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "tests/agent/store/random_segment.hpp"

namespace fieldpost {
namespace {

struct Content {
  explicit Content(SegmentContent given) : content{std::move(given)} {
    for (const Series& one : content.series) series.push_back(&one);
  }
  SegmentView view() const {
    return {.series = series, .samples = content.samples, .summaries = content.summaries, .events = content.events, .gaps = content.gaps};
  }
  SegmentHeader header() const {
    SegmentHeader made;
    made.samples = static_cast<std::uint32_t>(content.samples.size());
    made.summaries = static_cast<std::uint32_t>(content.summaries.size());
    made.events = static_cast<std::uint32_t>(content.events.size());
    made.gaps = static_cast<std::uint32_t>(content.gaps.size());
    return made;
  }
  SegmentContent content;
  std::vector<const Series*> series;
};

ErrorKind kind_of_writing(SegmentContent content) {
  const auto written = write_body(BootTime{}, Content{std::move(content)}.view());
  return written ? ErrorKind::NotPresent : written.error().kind();
}

SegmentContent samples_of(std::vector<unsigned> series, std::size_t known) {
  SegmentContent content;
  content.series.resize(known);
  for (const unsigned id : series) content.samples.push_back({SeriesId{id}, 1, BootTime{}});
  return content;
}

TEST(SegmentBody, OfNothingIsOneByte) {
  const auto bytes = write_body(BootTime{}, {}).value();
  EXPECT_EQ(bytes.size(), 1U);
  const auto read = read_body({}, bytes);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->series.empty() && read->samples.empty() && read->events.empty());
}

TEST(SegmentBody, GivesBackEventsAndGapsAtTheEndsOfTime) {
  SegmentContent content;
  for (const auto at : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    Event event;
    event.name = std::string(kEventTextBytesMax, 'n');
    event.message = std::string(kEventTextBytesMax, '\0');
    event.time = BootTime{nanoseconds{at}};
    event.value = -0.0;
    content.events.push_back(event);
    Gap gap;
    gap.readings = std::numeric_limits<std::uint64_t>::max();
    gap.epoch = std::numeric_limits<std::uint64_t>::max();
    gap.last_seq = std::numeric_limits<std::uint64_t>::max();
    gap.first = event.time;
    gap.last = event.time;
    content.gaps.push_back(gap);
  }
  const Content given{content};
  const auto bytes = write_body(BootTime{seconds{5}}, given.view()).value();
  SegmentHeader header = given.header();
  header.first = BootTime{seconds{5}};
  const auto read = read_body(header, bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(difference(*read, content), "");
}

TEST(SegmentBody, RefusesSamplesOfNoSeriesAndOutOfOrder) {
  EXPECT_EQ(kind_of_writing(samples_of({0, 1}, 2)), ErrorKind::NotPresent);  // that is: written
  EXPECT_EQ(kind_of_writing(samples_of({2}, 2)), ErrorKind::Bug);
  EXPECT_EQ(kind_of_writing(samples_of({1, 0}, 2)), ErrorKind::Bug);
  SegmentContent content;
  content.summaries.resize(1);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::Bug);
}

TEST(SegmentBody, RefusesOneMoreThanABound) {
  SegmentContent content;
  content.events.resize(kSegmentEventsMax);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::NotPresent);
  content.events.resize(kSegmentEventsMax + 1);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::OutOfRange);
  content = {};
  content.gaps.resize(kSegmentGapsMax + 1);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::OutOfRange);
  content = samples_of({}, 1);
  content.samples.resize(kSegmentSamplesMax);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::NotPresent);
  content.samples.resize(kSegmentSamplesMax + 1);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::OutOfRange);
  content = {};
  content.events.resize(1);
  content.events[0].message = std::string(kEventTextBytesMax + 1, 'm');
  EXPECT_EQ(kind_of_writing(content), ErrorKind::OutOfRange);
  content = samples_of({}, 1);
  content.summaries.resize(1);
  content.summaries[0].quantiles.resize(kSummaryQuantilesMax + 1);
  EXPECT_EQ(kind_of_writing(content), ErrorKind::OutOfRange);
}

TEST(SegmentBody, DoesNotBelieveCountsThatTheBytesDoNotBearOut) {
  const Content given{random_segment(11).content};
  const auto bytes = write_body(BootTime{}, given.view()).value();
  for (std::uint32_t SegmentHeader::* const count :
       {&SegmentHeader::samples, &SegmentHeader::summaries, &SegmentHeader::events, &SegmentHeader::gaps}) {
    for (const std::uint32_t wrong : {given.header().*count + 1, std::numeric_limits<std::uint32_t>::max()}) {
      SegmentHeader header = given.header();
      header.*count = wrong;
      const auto read = read_body(header, bytes);
      ASSERT_FALSE(read);
      EXPECT_EQ(read.error().kind(), ErrorKind::Malformed);
    }
  }
}

TEST(SegmentBody, CallsEveryTruncationAndEveryByteTooManyMalformed) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    RandomSegment made = random_segment(seed);
    const Content given{made.content};
    auto bytes = write_body(made.header.first, given.view()).value();
    for (std::size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 500) {
      const auto read = read_body(made.header, std::span{bytes}.first(length));
      ASSERT_FALSE(read) << length;
      ASSERT_EQ(read.error().kind(), ErrorKind::Malformed);
    }
    bytes.push_back(std::byte{0});
    EXPECT_EQ(read_body(made.header, bytes).error().kind(), ErrorKind::Malformed);
  }
}

}  // namespace
}  // namespace fieldpost
