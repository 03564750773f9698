// SPDX-License-Identifier: Apache-2.0
// The bytes of a message in each of its forms.
#include "agent/sync/payload.hpp"

#include <algorithm>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "agent/store/compression.hpp"
#include "platform/json.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

using Format = PayloadOptions::Format;
using Compression = PayloadOptions::Compression;

const UtcOf kUnknown = [](const BootId&, BootTime) { return std::nullopt; };
const ManualClock kClock;
const MessageGround kGround{"gw", kUnknown, kClock};

OutgoingSegment segment_of(int samples) {
  OutgoingSegment segment;
  segment.header.epoch = 7;
  segment.header.seq = 3;
  segment.header.lane = Lane::bulk;
  segment.header.boot = "00000000-0000-4000-8000-000000000001";
  SegmentContent content;
  content.series.emplace_back().name = "a_total";
  for (int i = 0; i < samples; ++i) content.samples.push_back(Sample{SeriesId{}, i, BootTime{milliseconds{1'000 + i}}});
  segment.header.first = content.samples.front().time;
  segment.header.last = content.samples.back().time;
  segment.header.samples = static_cast<std::uint32_t>(samples);
  segment.bytes = encode_segment(segment.header, content).value();
  return segment;
}

TEST(Payload, IsTheJsonMessageUnlessSaidOtherwise) {
  const Payload payload = make_payload({}, kGround, segment_of(3), 10'000).value();
  EXPECT_EQ(payload.content_type, "application/json");
  EXPECT_EQ(Json::parse(payload.bytes).value().at("seq")->integer(), 3);
}

TEST(Payload, NativeIsTheSegmentBehindALineThatKnowsDeviceAndTime) {
  const OutgoingSegment segment = segment_of(3);
  const Payload payload = make_payload({.format = Format::native}, kGround, segment, 10'000).value();
  const std::size_t line = payload.bytes.find('\n');
  EXPECT_EQ(payload.bytes.substr(0, line), R"({"v":1,"device":"gw","time":{"boot_ms":1000,"start":null,"error_ms":null,"trusted":false}})");
  const auto rest = std::as_bytes(std::span{payload.bytes}).subspan(line + 1);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), segment.bytes.begin(), segment.bytes.end()));
}

TEST(Payload, CompressedJsonIsTheSameJson) {
  const OutgoingSegment segment = segment_of(500);
  const std::string plain = make_payload({}, kGround, segment, 100'000).value().bytes;
  const Payload payload = make_payload({.compression = Compression::zstd}, kGround, segment, 100'000).value();
  EXPECT_EQ(payload.content_type, "application/json+zstd");
  EXPECT_LT(payload.bytes.size(), plain.size() / 3);
  const auto back = decompress(std::as_bytes(std::span{payload.bytes}), plain.size()).value();
  EXPECT_TRUE(std::equal(back.begin(), back.end(), std::as_bytes(std::span{plain}).begin()));
}

TEST(Payload, IsRefusedByTheLengthInWhichItWouldBeSent) {
  const OutgoingSegment segment = segment_of(500);
  for (const PayloadOptions options : {PayloadOptions{}, PayloadOptions{.format = Format::native}, PayloadOptions{.compression = Compression::zstd}}) {
    const std::size_t size = make_payload(options, kGround, segment, 100'000).value().bytes.size();
    EXPECT_TRUE(make_payload(options, kGround, segment, size).has_value());
    const auto refused = make_payload(options, kGround, segment, size - 1);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind(), ErrorKind::OutOfRange);
  }
}

TEST(Payload, TellsASegmentThatCannotBeReadFromOneThatIsTooLong) {
  OutgoingSegment segment = segment_of(3);
  segment.bytes.back() = ~segment.bytes.back();
  EXPECT_EQ(make_payload({}, kGround, segment, 10'000).error().kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
