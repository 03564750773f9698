// SPDX-License-Identifier: Apache-2.0
// What comes back out of a damaged outbox has older rows than what was sent meanwhile.
#include "agent/sync/sync.hpp"

#include <cstdio>
#include <map>
#include <string>

#include "platform/sqlite.hpp"
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

/// While the connection stands: the damage shows at a commit, and the queue of the newest goes on behind all that comes back.
TEST_F(SyncTest, SendsLiveReadingsThatWereSalvagedOnceAndInOrderOverTheConnectionThatStands) {
  const std::string old_epoch = to_text(store_->status().epoch);
  store_segment(Lane::live, 1);
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  store_segment(Lane::live, 2);
  ASSERT_TRUE(sent_reach(2));  // in flight until the end, as one of the newest
  link_.window_bytes_max = 1;
  store_segment(Lane::event, 3);  // goes before the live ones, and finds no room
  for (int i = 4; i <= 6; ++i) store_segment(Lane::live, i);
  wait_for_fetches();
  ASSERT_EQ(link_.sent, (Seqs{1, 2}));

  // Another file at its path, which SQLite has none of.
  for (const std::string name : {"outbox.db", "outbox.db-wal"}) directory_.write("copy/" + name, directory_.read(name));
  ASSERT_TRUE(Sqlite::open(directory_.file("copy/outbox.db"), {}));  // closed at once, which brings in its log
  std::string content = directory_.read("copy/outbox.db");
  std::fill_n(content.begin() + 16, 8, 'x');  // page size and versions
  directory_.write("copy/outbox.db", content);
  ASSERT_EQ(std::remove(directory_.file("outbox.db-wal").c_str()), 0);
  ASSERT_EQ(std::rename(directory_.file("copy/outbox.db").c_str(), directory_.file("outbox.db").c_str()), 0);
  store_segment(Lane::live, 100);
  link_.window_bytes_max = std::numeric_limits<std::size_t>::max();
  link_.room();
  wait_for_fetches();
  ASSERT_TRUE(store_->status().is_salvaging);
  const auto go_on = [this] {
    loop_.advance(milliseconds{20});
    wait_for_fetches();
  };
  for (int i = 0; i < 2'000 && store_->status().is_salvaging; ++i) go_on();
  ASSERT_FALSE(store_->status().is_salvaging);
  go_on();

  Seqs old_live;
  std::map<std::int64_t, int> others;
  const auto settle_one = [&] {
    const auto& message = link_.in_flight.front().message;
    const auto json = Json::parse(message.payload);
    const bool is_old = json && json->at("epoch")->string() == old_epoch;
    if (is_old && message.topic.ends_with("live")) {
      old_live.push_back(FakeLink::seq_of(message));
    } else {
      ++others[is_old ? 0 : FakeLink::seq_of(message)];
    }
    link_.settle_oldest();
  };
  for (int i = 0; i < 2'000 && waiting(Lane::live) > 0; ++i) {
    while (!link_.in_flight.empty()) settle_one();
    go_on();
  }
  EXPECT_EQ(old_live, (Seqs{1, 2, 4, 5, 6}));
  for (const auto& [seq, times] : others) EXPECT_EQ(times, 1) << seq;  // 0: the old event
}

}  // namespace
}  // namespace fieldpost
