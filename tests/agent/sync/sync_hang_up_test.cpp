// SPDX-License-Identifier: Apache-2.0
// Brokers that hang up on some messages and say nothing: which one it is must be found out, the others must go
// on, and nothing may be lost.
#include "agent/sync/sync.hpp"

#include <functional>
#include <string>
#include <utility>

#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

class HangingUp {
 public:
  using Hates = std::function<bool(const Link::Message&)>;
  HangingUp(FakeLink& link, Hates hates) : link_{link}, hates_{std::move(hates)} {}

  void answer() {
    while (!link_.in_flight.empty()) {
      const Link::Message& message = link_.in_flight.front().message;
      if (hates_(message)) {
        ++hung_up;
        link_.lose_connection();
        link_.start();
        return;
      }
      taken.push_back(FakeLink::seq_of(message));
      payloads += message.payload;
      link_.settle_oldest();
    }
  }

  int hung_up = 0;
  Seqs taken;
  std::string payloads;  ///< of all that were taken

 private:
  FakeLink& link_;
  Hates hates_;
};

using SyncHangUpTest = SyncTest;

TEST_F(SyncHangUpTest, FindsTheLaneThatEndsTheConnectionsAndLetsTheOthersGoOn) {
  store_segment(Lane::bulk);
  store_segment(Lane::bulk);
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync();
  HangingUp broker{link_, [](const auto& message) { return message.topic.ends_with("/bulk"); }};
  link_.start();
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return sync_->status().last_error[index(Lane::bulk)].find("connection ends") != std::string::npos;
  }));
  EXPECT_LE(broker.hung_up, 3);
  EXPECT_EQ(log_.count("a message ends the connection"), 1U);
  for (int i = 0; i < 30; ++i) {
    store_segment();
    loop_.advance(seconds{10});
    loop_.run_ready();
    broker.answer();
  }
  EXPECT_LE(broker.hung_up, 3 + 6);  // 5, 10, 20, 40, 80, 160 s
  EXPECT_EQ(waiting(Lane::bulk), 2U);
  EXPECT_EQ(sync_->status().messages_given_up, 0U);
  EXPECT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.taken.size() >= 36;
  }));
}

TEST_F(SyncHangUpTest, KeepsWhatEndedTheConnectionAndSendsItInOrderWhenTheBrokerIsMended) {
  for (int i = 0; i < 6; ++i) store_segment(Lane::event);
  make_sync();
  bool mended = false;
  HangingUp broker{link_, [&](const auto& message) { return !mended && FakeLink::seq_of(message) == 3; }};
  link_.start();
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return log_.count("a message ends the connection") == 1;
  }));
  mended = true;
  loop_.advance(Sync::kRefusedPause);
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.taken.size() >= 6;
  }));
  EXPECT_EQ(broker.taken, (Seqs{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(sync_->status().last_error[index(Lane::event)], "");
}

TEST_F(SyncHangUpTest, ABrokerThatTakesNothingAtAllIsNoReasonForLongPauses) {
  store_segment(Lane::event);
  store_segment(Lane::live);
  make_sync();
  bool mended = false;
  HangingUp broker{link_, [&](const auto&) { return !mended; }};
  link_.start();
  for (int i = 0; i < 100; ++i) {
    loop_.advance(seconds{10});
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
    broker.answer();
  }
  EXPECT_GT(broker.hung_up, 50);
  mended = true;
  loop_.advance(Sync::kRefusedPause);
  EXPECT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.taken.size() >= 2;
  }));
}

TEST_F(SyncHangUpTest, ABadNetworkThatLargeMessagesNeverGetThroughIsNoReasonToGiveThemUp) {
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i * 1'000, clock_.now()});
  store_segment();  // the large one, seq 1
  make_sync();
  HangingUp broker{link_, [this](const auto& message) {
                     const bool large = message.payload.size() > 1'000;
                     if (large) loop_.advance(seconds{20});  // half of it is on its way when the network dies
                     return large;
                   }};
  link_.start();
  for (int i = 0; i < 30; ++i) {
    loop_.advance(seconds{30});
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
    broker.answer();
    store_segment();
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
    broker.answer();
    loop_.advance(Sync::kRefusedPauseMax);
  }
  EXPECT_GT(broker.hung_up, 10);
  EXPECT_GT(broker.taken.size(), 10U);
  EXPECT_EQ(sync_->status().messages_given_up, 0U);
}

TEST_F(SyncHangUpTest, ASuspectThatMustWaitForTheNextDayHoldsBackNoLiveReading) {
  store_segment(Lane::bulk);
  make_sync({.device = "gw", .limits = {.per_day = 10'000}});
  HangingUp broker{link_, [](const auto& message) { return message.topic.ends_with("/bulk"); }};
  link_.start();
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.hung_up == 2;
  }));
  while (sync_->status().day_bytes < 6'000) {  // beyond the half of the day that the backlog may use
    store_segment(Lane::alert);
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
    broker.answer();
  }
  const std::size_t before = broker.taken.size();
  loop_.advance(Sync::kRefusedPause);  // from here on it would be asked again, alone
  store_segment(Lane::live);
  EXPECT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.taken.size() > before;
  }));
}

TEST_F(SyncHangUpTest, AlertsGoBeforeWhatIsSuspected) {
  store_segment(Lane::bulk);
  make_sync();
  HangingUp broker{link_, [](const auto& message) { return message.topic.ends_with("/bulk"); }};
  link_.start();
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.hung_up == 2;
  }));
  store_segment(Lane::alert);
  ASSERT_TRUE(loop_.run_until([&] {
    broker.answer();
    return broker.taken == Seqs{2};
  }));
}

TEST_F(SyncHangUpTest, GivesUpWhatEndsTheConnectionOnlyWhenItsSizeIsProvedToBeTheReason) {
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i * 1'000, clock_.now()});
  store_segment();  // the large one, seq 1
  store_segment();
  make_sync();
  HangingUp broker{link_, [](const auto& message) { return message.payload.size() > 1'000; }};
  link_.start();
  for (int i = 0; i < 30 && sync_->status().messages_given_up == 0; ++i) {
    loop_.advance(seconds{30});
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty() || sync_->status().messages_given_up > 0; }));
    broker.answer();
    if (i < 9) continue;
    store_segment();
    ASSERT_TRUE(loop_.run_until([this] { return !link_.in_flight.empty(); }));
    broker.answer();
    loop_.advance(Sync::kRefusedPauseMax);
  }
  EXPECT_EQ(sync_->status().messages_given_up, 1U);
  EXPECT_GE(broker.hung_up, 9 + 5) << "while nothing passes there is no proof";
  bool reported = false;
  for (int i = 0; i < 60 && !(reported && waiting(Lane::live) == 0); ++i) {
    loop_.advance(seconds{1});
    wait_for_fetches();
    broker.answer();
    reported = broker.payloads.find(R"("cause":"oversize")") != std::string::npos;
  }
  EXPECT_TRUE(reported);
  EXPECT_EQ(waiting(Lane::live), 0U);
}

}  // namespace
}  // namespace fieldpost
