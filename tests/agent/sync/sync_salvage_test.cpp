// SPDX-License-Identifier: Apache-2.0
// What comes back out of a damaged outbox has older rows than what was sent meanwhile.
#include "agent/sync/sync.hpp"
#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

TEST_F(SyncTest, SendsWhatWasSalvagedOnceAndInOrderThoughNewerIsUnderWay) {
  constexpr std::int64_t kOld = 6;
  for (int i = 0; i < kOld; ++i) store_segment(i < 4 ? Lane::bulk : Lane::live, i);
  const std::string old_epoch = to_text(store_->status().epoch);
  store_->close();
  std::string content = directory_.read("outbox.db");
  std::fill_n(content.begin() + 16, 8, 'x');  // page size and versions: SQLite has none of it
  directory_.write("outbox.db", content);
  open_store();
  make_sync();
  link_.start();
  store_segment(Lane::bulk, 100);
  ASSERT_TRUE(sent_reach(1));

  Seqs old_bulk;
  Seqs old_live;
  const auto settle_one = [&] {
    const auto json = Json::parse(link_.in_flight.front().message.payload);
    const bool is_old = json && json->at("epoch")->string() == old_epoch;
    const bool is_bulk = link_.in_flight.front().message.topic.ends_with("bulk");
    if (is_old) (is_bulk ? old_bulk : old_live).push_back(FakeLink::seq_of(link_.in_flight.front().message));
    link_.settle_oldest();
  };
  ASSERT_TRUE(loop_.run_until([&] {
    loop_.advance(milliseconds{20});
    // The new one stays in flight until they come: it is found again, and not sent again.
    while (link_.in_flight.size() > (old_live.empty() && old_bulk.empty() ? 1U : 0U)) settle_one();
    return old_bulk.size() + old_live.size() >= kOld && link_.in_flight.empty();
  }));
  wait_for_fetches();
  while (!link_.in_flight.empty()) settle_one();
  EXPECT_EQ(old_bulk, (Seqs{1, 2, 3, 4}));
  EXPECT_EQ(old_live, (Seqs{5, 6}));
  EXPECT_FALSE(store_->status().is_salvaging);
}

}  // namespace
}  // namespace fieldpost
