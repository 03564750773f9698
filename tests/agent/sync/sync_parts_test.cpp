// SPDX-License-Identifier: Apache-2.0
// A segment that needs several messages: one acknowledgement of the store for all of them, whatever becomes of the link.
#include <set>
#include <string>

#include "agent/sync/sync.hpp"
#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

class SyncPartsTest : public SyncTest {
 protected:
  /// Some 4 kB as a pack of SenML, cut into pieces of 1,200 bytes; two of them fit into the window.
  void begin() {
    for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i, clock_.now() + milliseconds{i}});
    store_segment();
    link_.window_bytes_max = 2'400;
    make_sync({.device = "gw", .message_bytes_max = 1'200, .payload = {.format = PayloadOptions::Format::senml_json}});
    link_.start();
    ASSERT_TRUE(loop_.run_until([this] { return link_.in_flight.size() == 2; }));
  }

  /// Everything is acknowledged as it is sent, and the store has nothing more. (It deletes with the next commit.)
  bool empties() {
    return loop_.run_until([this] {
      link_.settle_all();
      store_->flush();
      return waiting(Lane::live) == 0 && waiting(Lane::alert) == 0;
    });
  }

  /// Of the oldest message in flight: its number, which follows this.
  std::string part_of_oldest() const {
    const std::string& payload = link_.in_flight.front().message.payload;
    const std::size_t at = payload.find(R"({"n":"/part","v":)");
    return at == std::string::npos ? "" : payload.substr(at + 17, payload.find('}', at) - at - 17);
  }
};

TEST_F(SyncPartsTest, AcknowledgesASegmentWhenAllItsMessagesAre) {
  begin();
  std::set<std::string> parts;
  while (!link_.in_flight.empty()) {
    EXPECT_EQ(waiting(Lane::live), 1U);
    parts.insert(part_of_oldest());
    link_.settle_oldest();
    loop_.run_ready();
  }
  EXPECT_EQ(parts, (std::set<std::string>{"0", "1", "2", "3", "4", "5", "6", "7"}));
  EXPECT_TRUE(empties());
  EXPECT_EQ(sync_->status().messages_acknowledged, 8U);
}

TEST_F(SyncPartsTest, BeginsTheSegmentAnewWhenTheConnectionIsLostHalfWay) {
  begin();
  link_.settle_oldest();
  link_.lose_connection();
  EXPECT_EQ(waiting(Lane::live), 1U);
  EXPECT_EQ(sync_->status().in_flight, 0U);
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
  EXPECT_EQ(part_of_oldest(), "0");
  EXPECT_TRUE(empties());
}

TEST_F(SyncPartsTest, BeginsTheSegmentAnewWhenTheConnectionIsLostBetweenTwoMessages) {
  begin();
  link_.hang_up();  // nothing can be published any more, and what was is acknowledged
  while (!link_.in_flight.empty()) link_.settle_oldest();
  EXPECT_EQ(sync_->status().in_flight, 1U);
  link_.lose_connection();
  EXPECT_EQ(sync_->status().in_flight, 0U);
  EXPECT_EQ(waiting(Lane::live), 1U);
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
  EXPECT_EQ(part_of_oldest(), "0");
}

TEST_F(SyncPartsTest, ARefusedPartHoldsTheLaneBackAndTheSegmentIsSentAnew) {
  begin();
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
  loop_.run_ready();
  EXPECT_EQ(link_.in_flight.size(), 1U) << "the rest is not sent";
  link_.settle_oldest();
  EXPECT_EQ(waiting(Lane::live), 1U);
  loop_.advance(Sync::kRefusedPause);
  ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
  EXPECT_EQ(part_of_oldest(), "0");
  EXPECT_TRUE(empties());
}

TEST_F(SyncPartsTest, AlertsGoBetweenTheParts) {
  begin();
  store_segment(Lane::alert, 1);
  link_.settle_oldest();
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/alert") == 1; }));
  EXPECT_TRUE(empties());
}

}  // namespace
}  // namespace fieldpost
