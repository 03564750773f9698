// SPDX-License-Identifier: Apache-2.0
// Payloads other than plain JSON, as sync sends them.
#include <span>
#include <string>

#include "agent/sync/sync.hpp"
#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

TEST_F(SyncTest, SendsNativePayloadsAsTheSegmentBehindALineOfJson) {
  store_segment(Lane::live, 42);
  make_sync({.device = "gw", .payload = {.format = PayloadOptions::Format::native}});
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return link_.in_flight.size() == 1; }));
  const Link::Message& message = link_.in_flight.front().message;
  EXPECT_EQ(message.content_type, "application/vnd.fieldpost.segment");
  const std::size_t line = message.payload.find('\n');
  const Json head = Json::parse(message.payload.substr(0, line)).value();
  EXPECT_EQ(head.at("device")->string(), "gw");
  EXPECT_TRUE(head.at("time")->at("start")->string().has_value());
  const auto bytes = std::as_bytes(std::span{message.payload}).subspan(line + 1);
  EXPECT_EQ(decode_segment_content(bytes).value().samples.front().value.integer(), 42);
}

TEST_F(SyncTest, SendsCompressedJsonAndSaysSo) {
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i, clock_.now()});
  store_segment();
  make_sync({.device = "gw", .payload = {.compression = PayloadOptions::Compression::zstd}});
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return link_.in_flight.size() == 1; }));
  const Link::Message& message = link_.in_flight.front().message;
  EXPECT_EQ(message.content_type, "application/json+zstd");
  EXPECT_EQ(message.payload.substr(0, 4), "\x28\xB5\x2F\xFD");
}

TEST_F(SyncTest, JudgesTheLengthOfAMessageAsItIsSent) {
  for (int i = 0; i < 2'000; ++i) store_->add(Lane::live, Sample{id_, i, clock_.now() + milliseconds{i}});
  store_segment();  // some 15 kB as JSON, a few hundred compressed
  make_sync({.device = "gw",
             .message_bytes_max = 10'000,
             .payload = {.compression = PayloadOptions::Compression::zstd}});
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return link_.in_flight.size() == 1; }));
  EXPECT_EQ(sync_->status().messages_given_up, 0U);
}

}  // namespace
}  // namespace fieldpost
