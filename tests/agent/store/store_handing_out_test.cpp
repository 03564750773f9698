// SPDX-License-Identifier: Apache-2.0
// What was handed out stays as it is and where it is; what was not may become fewer segments.
#include "tests/agent/store/store_fixture.hpp"

namespace fieldpost {
namespace {

using StoreHandingOutTest = StoreTest;

TEST_F(StoreHandingOutTest, MergesWhatWaitsAndHandsItOutWhole) {
  options_.message_bytes_max = 5'000;
  options_.merge_segments_min = 8;
  open();
  for (int i = 0; i < 60; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().merged_segments > 20; }));
  EXPECT_EQ(accounted_for(), added_);
  std::uint64_t seq = 0;
  std::uint64_t readings = 0;
  for (const auto& segment : fetch(Lane::live)) {
    EXPECT_EQ(segment.header.first_seq, seq + 1);
    seq = segment.header.seq;
    readings += segment.header.readings();
  }
  EXPECT_EQ(seq, 60U);
  EXPECT_EQ(readings, added_);
}

TEST_F(StoreHandingOutTest, MergesNothingThatAnEarlierProcessHandedOut) {
  options_.message_bytes_max = 5'000;
  options_.merge_segments_min = 8;
  open();
  std::vector<OutgoingSegment> sent;
  for (int i = 0; i < 40; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
    if (i == 5) sent = fetch(Lane::live, 0, 3);
  }
  reopen();
  for (int i = 0; i < 40; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().merged_segments > 20; }));
  const auto found = fetch(Lane::live);
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(found[i].bytes, sent[i].bytes) << i;
}

TEST_F(StoreHandingOutTest, KeepsWhatIsOnItsWayUntilItIsReleased) {
  options_.quota_bytes = 256 << 10;
  options_.thin_window = milliseconds{0};
  open();
  add_samples(Lane::bulk);
  ASSERT_TRUE(flush());
  const auto on_its_way = fetch(Lane::bulk);
  const auto fill = [this] {
    for (int i = 0; i < 60; ++i) {
      for (int tick = 0; tick < 40; ++tick) add_noise(Lane::bulk);
      ASSERT_TRUE(flush());
    }
  };
  fill();
  EXPECT_GT(store_->status().dropped_readings[3], 0U);
  EXPECT_EQ(fetch(Lane::bulk)[0].row, on_its_way[0].row);
  store_->acknowledge(on_its_way[0]);
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().acknowledged_readings, on_its_way[0].header.readings());
  const std::int64_t next = fetch(Lane::bulk, 0, 1)[0].row;
  store_->release(Lane::bulk);
  fill();
  EXPECT_GT(fetch(Lane::bulk, 0, 1)[0].row, next);
  EXPECT_EQ(accounted_for(), added_);
}

TEST_F(StoreHandingOutTest, GivesWhatIsBehindSegmentsThatAreAcknowledgedAndNotDeletedYet) {
  open();
  for (int i = 0; i < 3; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  const auto all = fetch(Lane::live);
  ASSERT_EQ(all.size(), 3U);
  store_->acknowledge(all[0]);
  store_->acknowledge(all[1]);
  const auto behind = fetch(Lane::live, 0, 1);
  ASSERT_EQ(behind.size(), 1U);
  EXPECT_EQ(behind[0].row, all[2].row);
  store_->acknowledge(all[2]);
  EXPECT_TRUE(fetch(Lane::live, 0, 1).empty());
}

TEST_F(StoreHandingOutTest, KeepsWhatWasSentThoughTheRestOfItsLaneIsReleased) {
  options_.quota_bytes = 256 << 10;
  options_.thin_window = milliseconds{0};
  open();
  for (int i = 0; i < 3; ++i) {
    add_samples(Lane::bulk);
    ASSERT_TRUE(flush());
  }
  const auto fetched = fetch(Lane::bulk);
  ASSERT_EQ(fetched.size(), 3U);
  store_->sent(fetched[1]);
  store_->release(Lane::bulk);  // the connection is lost
  const auto fill = [this] {
    for (int i = 0; i < 60; ++i) {
      for (int tick = 0; tick < 40; ++tick) add_noise(Lane::bulk);
      ASSERT_TRUE(flush());
    }
  };
  fill();
  EXPECT_EQ(fetch(Lane::bulk, 0, 1)[0].row, fetched[1].row);
  store_->acknowledge(fetched[1]);
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().acknowledged_readings, fetched[1].header.readings());
  EXPECT_EQ(accounted_for(), added_);
}

}  // namespace
}  // namespace fieldpost
