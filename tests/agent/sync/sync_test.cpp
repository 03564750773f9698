// SPDX-License-Identifier: Apache-2.0
// What is sent, in which order, and what leaves the store. Brokers that hang up: sync_hang_up_test.cpp;
// what a message looks like: sync_payload_test.cpp.
#include "agent/sync/sync.hpp"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "agent/sync/byte_budget.hpp"
#include "platform/durable_file.hpp"
#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

TEST_F(SyncTest, SendsWhatWaitedBeforeItStartedAndWhatComesLaterInOrder) {
  store_segment();
  store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(2));
  store_segment();
  ASSERT_TRUE(sent_reach(3));
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3}));
  EXPECT_EQ(link_.in_flight[0].message.topic, "fieldpost/gw/live");
  EXPECT_EQ(link_.in_flight[0].message.qos, 1);
}

TEST_F(SyncTest, DeletesASegmentOnlyWhenItIsAcknowledged) {
  store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  loop_.advance(seconds{5});
  EXPECT_EQ(waiting(Lane::live), 1U);
  link_.settle_oldest();
  loop_.advance(seconds{5});
  EXPECT_TRUE(loop_.run_until([this] { return waiting(Lane::live) == 0; }));
  EXPECT_EQ(sync_->status().messages_acknowledged, 1U);
}

TEST_F(SyncTest, NeverSendsMoreThanTheWindowTakes) {
  for (int i = 0; i < 9; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  loop_.run_ready();
  EXPECT_EQ(link_.sent.size(), 4U);
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(5));
  EXPECT_EQ(link_.in_flight.size(), 4U);
}

TEST_F(SyncTest, DrainsABacklogLargerThanOneFetchWithoutHolesOrRepeats) {
  constexpr int kSegments = 3 * static_cast<int>(Sync::kFetchSegments) + 1;
  for (int i = 0; i < kSegments; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(drained(kSegments));
  Seqs expected(kSegments);
  std::iota(expected.begin(), expected.end(), 1);
  EXPECT_EQ(link_.sent, expected);
}

TEST_F(SyncTest, SendsTheSameSeqAgainInOrderAfterTheConnectionWasLost) {
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(5));
  link_.lose_connection();
  link_.sent.clear();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  EXPECT_EQ(link_.sent, (Seqs{2, 3, 4, 5}));
}

TEST_F(SyncTest, SendsNothingNewerUntilThoseUnderWayHaveEndedAfterARefusal) {
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
  loop_.advance(Sync::kRefusedPause + seconds{1});
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3, 4}));
  link_.settle_all();
  loop_.advance(Sync::kRefusedPause + seconds{1});
  ASSERT_TRUE(sent_reach(5));
  loop_.run_ready();
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3, 4, 1}));  // one asks for all
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(7));
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3, 4, 1, 5, 6}));
}

TEST_F(SyncTest, AsksABrokerThatGoesOnRefusingEverMoreSeldom) {
  store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  milliseconds pause = Sync::kRefusedPause;
  for (std::size_t round = 1; round <= 9; ++round) {
    link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
    loop_.advance(pause - milliseconds{1});
    loop_.run_ready();
    EXPECT_EQ(link_.sent.size(), round);
    loop_.advance(milliseconds{1});
    ASSERT_TRUE(sent_reach(round + 1));
    pause = std::min(pause * 2, Sync::kRefusedPauseMax);
  }
  EXPECT_EQ(pause, Sync::kRefusedPauseMax);
  EXPECT_EQ(log_.count("the broker refuses a lane"), 1U);  // once per cause
  EXPECT_EQ(sync_->status().last_error[index(Lane::live)], "not authorised");
  link_.settle_oldest(Error{ErrorKind::Unavailable, "quota exceeded"});
  EXPECT_EQ(log_.count("the broker refuses a lane"), 2U);
  loop_.advance(Sync::kRefusedPauseMax);
  ASSERT_TRUE(sent_reach(11));
  link_.settle_oldest();
  EXPECT_EQ(sync_->status().last_error[index(Lane::live)], "");
  EXPECT_EQ(sync_->status().messages_given_up, 0U);
}

TEST_F(SyncTest, ARefusedLaneHoldsBackNoOther) {
  store_segment(Lane::bulk);
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
  store_segment(Lane::alert);
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/alert") == 1; }));  // no time has passed
  EXPECT_EQ(link_.count("/bulk"), 0U);
}

TEST_F(SyncTest, AsksAgainAtOnceOverANewConnection) {
  store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
  loop_.advance(Sync::kRefusedPause);
  ASSERT_TRUE(sent_reach(2));
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});  // twice as long a pause, ended half-way
  loop_.advance(Sync::kRefusedPause);
  link_.lose_connection();
  link_.start();
  ASSERT_TRUE(sent_reach(3));
}

TEST_F(SyncTest, ARefusalThatAlsoEndsTheConnectionHoldsBackNoOtherLane) {
  store_segment(Lane::bulk);
  store_segment(Lane::bulk);
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(2));
  auto refused = std::move(link_.in_flight.front());
  link_.in_flight.pop_front();
  link_.hang_up();  // nothing can be published any more, and only now the broker's answer is heard
  refused.done(Error{ErrorKind::Denied, "not authorised"});
  link_.lose_connection();
  EXPECT_EQ(log_.count("the broker refuses a lane"), 1U);
  link_.start();
  store_segment(Lane::alert);
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/alert") == 1; }));  // no time has passed
  EXPECT_EQ(link_.count("/bulk"), 0U);
  loop_.advance(Sync::kRefusedPause);
  ASSERT_TRUE(sent_reach(4));
  EXPECT_EQ(link_.count("/bulk"), 1U);  // one asks
}

TEST_F(SyncTest, GivesUpWhatTheBrokerWillNeverTakeAndGoesOn) {
  for (int i = 0; i < 3; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(3));
  link_.settle_oldest(Error{ErrorKind::OutOfRange, "packet too large"});
  EXPECT_EQ(sync_->status().messages_given_up, 1U);
  link_.settle_oldest(Error{ErrorKind::Malformed, "payload format invalid"});
  EXPECT_EQ(sync_->status().messages_given_up, 2U);
  link_.settle_oldest();
  loop_.advance(Sync::kRefusedPause);
  EXPECT_TRUE(loop_.run_until([this] { return waiting(Lane::live) == 0; }));
  loop_.advance(seconds{15});
  EXPECT_TRUE(loop_.run_until([this] {
    return std::any_of(link_.in_flight.begin(), link_.in_flight.end(), [](const auto& one) {
      return one.message.payload.find(R"("cause":"oversize")") != std::string::npos &&
             one.message.payload.find(R"("cause":"refused")") != std::string::npos;
    });
  }));
  EXPECT_EQ((Seqs{link_.sent.begin(), link_.sent.begin() + 3}), (Seqs{1, 2, 3}));
}

TEST_F(SyncTest, GivesUpAMessageThatIsLargerThanThisBrokerTakesAndSendsTheNext) {
  link_.bytes_max = 700;
  make_sync();
  link_.start();
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i * 1'000, clock_.now()});
  store_segment();
  ASSERT_TRUE(loop_.run_until([this] { return sync_->status().messages_given_up == 1; }));
  store_segment();
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/live") == 1; }));
}

TEST_F(SyncTest, WritesAMessageThatFoundNoRoomNotAgainBeforeThereIsRoomAndLetsNoLowerLaneOvertakeIt) {
  link_.window_bytes_max = 1'000;
  for (int i = 0; i < 2; ++i) store_segment();
  store_segment();
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i * 1'000, clock_.now()});
  store_segment();  // the large one, seq 4
  store_segment(Lane::bulk);
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(3));
  loop_.run_ready();
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3}));
  EXPECT_EQ(link_.asked, 4U);
  link_.settle_oldest();
  link_.settle_oldest();
  EXPECT_EQ(link_.asked, 4U);
  link_.settle_oldest();  // alone it may be larger than the window
  ASSERT_TRUE(sent_reach(4));
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(5));
  EXPECT_EQ(link_.sent, (Seqs{1, 2, 3, 4, 5}));
}

TEST_F(SyncTest, SendsNothingThatTheStoreDroppedWhileTheConnectionWasLost) {
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  link_.lose_connection();
  bool dropped = false;
  store_->fetch(Lane::live, 0, 5, 1U << 20U, [&](const std::vector<OutgoingSegment>& oldest) {
    for (const auto& segment : oldest) store_->give_up(segment, Gap::Cause::quota);
    dropped = oldest.size() == 5;
  });
  ASSERT_TRUE(loop_.run_until([&] { return dropped; }));
  loop_.advance(seconds{5});
  ASSERT_TRUE(loop_.run_until([this] { return waiting(Lane::live) == 1; }));
  link_.sent.clear();
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/live") == 1; }));
  loop_.run_ready();
  EXPECT_EQ(link_.count("/live"), 1U);
  const auto live = std::find_if(link_.in_flight.begin(), link_.in_flight.end(),
                                 [](const auto& one) { return one.message.topic.ends_with("/live"); });
  EXPECT_EQ(FakeLink::seq_of(live->message), 6);
}

TEST_F(SyncTest, WhatTheBrokerMayHaveIsKeptAndWhatWasOnlyFetchedMayBeDropped) {
  store_->close();
  open_store(std::chrono::hours{1});
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));  // two more are fetched
  link_.lose_connection();
  for (int i = 0; i < 12; ++i) {
    loop_.advance(std::chrono::minutes{10});
    wait_for_fetches();
  }
  store_segment();  // 7, and what is too old goes
  link_.sent.clear();
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] {
    link_.settle_all();
    return std::find(link_.sent.begin(), link_.sent.end(), 7) != link_.sent.end();
  }));
  EXPECT_EQ(link_.sent_without({8}), (Seqs{1, 2, 3, 4, 7}));  // 8 tells of the gap
}

TEST_F(SyncTest, AFetchUnderWayWhenTheConnectionBreaksLeavesNoHole) {
  constexpr int kSegments = 2 * static_cast<int>(Sync::kFetchSegments);
  for (int i = 0; i < kSegments; ++i) store_segment();
  make_sync();
  link_.start();  // fetches
  link_.lose_connection();
  link_.start();
  ASSERT_TRUE(drained(kSegments));
  Seqs expected(kSegments);
  std::iota(expected.begin(), expected.end(), 1);
  EXPECT_EQ(link_.sent, expected);
}

TEST_F(SyncTest, SendsAlertsBeforeEverythingElse) {
  store_segment(Lane::bulk);
  store_segment(Lane::live);
  Event alert;
  alert.name = "hot";
  alert.severity = Severity::critical;
  alert.time = clock_.now();
  store_->add(alert);
  ASSERT_TRUE(loop_.run_until([this] { return waiting(Lane::alert) == 1; }));
  FakeLink narrow{1};
  sync_ = std::make_unique<Sync>(loop_, log_.log(), *store_, narrow, SyncOptions{.device = "gw"});
  sync_->start();
  narrow.start();
  std::vector<std::string> topics;
  ASSERT_TRUE(loop_.run_until([&] {
    while (!narrow.in_flight.empty()) {
      topics.push_back(narrow.in_flight.front().message.topic);
      narrow.settle_oldest();
    }
    return topics.size() >= 3;
  }));
  EXPECT_EQ(topics, (std::vector<std::string>{"fieldpost/gw/alert", "fieldpost/gw/live", "fieldpost/gw/bulk"}));
}

TEST_F(SyncTest, SendsAllAlertsOfAnOutageBeforeTheRestAlsoIfTheyAreFetchedInParts) {
  store_segment(Lane::live);
  for (std::size_t i = 0; i < 2 * Sync::kFetchSegments + 4; ++i) store_segment(Lane::alert);
  FakeLink wide{100};
  sync_ = std::make_unique<Sync>(loop_, log_.log(), *store_, wide, SyncOptions{.device = "gw"});
  sync_->start();
  wide.start();
  ASSERT_TRUE(loop_.run_until([&] { return wide.in_flight.size() > 2 * Sync::kFetchSegments + 4; }));
  EXPECT_EQ(wide.in_flight.back().message.topic, "fieldpost/gw/live");
}

TEST_F(SyncTest, AnAlertHasItsPlaceWhereTheWindowIsFullForEverythingElse) {
  make_sync();
  link_.start();
  link_.full_for_ordinary = true;
  for (const Lane lane : {Lane::live, Lane::bulk, Lane::event}) store_segment(lane);
  store_segment(Lane::alert);
  ASSERT_TRUE(sent_reach(1));
  wait_for_fetches();
  EXPECT_EQ(link_.sent.size(), 1U);
  EXPECT_EQ(link_.in_flight.front().message.topic, "fieldpost/gw/alert");
  EXPECT_EQ(link_.in_flight.front().message.urgency, Link::Urgency::urgent);
}

TEST_F(SyncTest, SendsTheNewestLiveReadingsBeforeTheBacklogAndEachInOrder) {
  for (int i = 0; i < 8; ++i) store_segment();
  store_segment(Lane::bulk);
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  store_segment();  // 10
  store_segment();
  ASSERT_TRUE(drained(11));
  EXPECT_EQ((Seqs{link_.sent.begin(), link_.sent.begin() + 5}), (Seqs{1, 2, 3, 4, 10}));
  EXPECT_EQ(link_.sent_without({10, 11}), (Seqs{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(SyncTest, WhatWasTheNewestIsBacklogOnceTheConnectionHasBroken) {
  for (int i = 0; i < 8; ++i) store_segment();
  make_sync();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  store_segment();
  store_segment();
  wait_for_fetches();
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(5));
  EXPECT_EQ(link_.sent[4], 9);
  link_.lose_connection();
  link_.sent.clear();
  link_.start();
  ASSERT_TRUE(sent_reach(4));
  store_segment();  // 11
  wait_for_fetches();
  ASSERT_TRUE(drained(10));
  EXPECT_EQ(link_.sent[4], 11);
  EXPECT_EQ(link_.sent_without({11}), (Seqs{2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(SyncTest, GivesUpAMessageThatIsTooLongAndReportsAGap) {
  make_sync({.device = "gw", .message_bytes_max = 700});
  link_.start();
  for (int i = 0; i < 200; ++i) store_->add(Lane::live, Sample{id_, i * 1'000, clock_.now()});
  store_segment();
  ASSERT_TRUE(loop_.run_until([this] { return sync_->status().messages_given_up == 1; }));
  loop_.advance(seconds{15});
  ASSERT_TRUE(loop_.run_until([this] {
    for (const auto& one : link_.in_flight) {
      if (one.message.payload.find(R"("cause":"oversize")") != std::string::npos) return true;
    }
    return false;
  }));
  EXPECT_EQ(waiting(Lane::live), 0U);
}

TEST_F(SyncTest, HoldsToItsByteRateAndStillSendsAMessageLargerThanTheBucket) {
  for (int i = 0; i < 3; ++i) store_segment();
  make_sync({.device = "gw", .limits = {.per_second = 100}});
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  loop_.run_ready();
  EXPECT_EQ(link_.sent.size(), 1U);
  const std::int64_t bytes = sync_->status().day_bytes;
  loop_.advance(milliseconds{(bytes - 100) * 10 - 100});
  EXPECT_EQ(link_.sent.size(), 1U);
  loop_.advance(milliseconds{200});
  EXPECT_EQ(link_.sent.size(), 2U);
}

TEST_F(SyncTest, SendsNothingWhileItIsStoppedOrNotConnected) {
  make_sync();
  store_segment();
  loop_.run_ready();
  EXPECT_TRUE(link_.sent.empty());
  sync_->stop();
  link_.start();
  loop_.run_ready();
  EXPECT_TRUE(link_.sent.empty());
}

TEST_F(SyncTest, ALimitOfTheDayHoldsBackTheBacklogFirstThenLiveReadingsAndNeverAlerts) {
  for (int i = 0; i < 6; ++i) store_segment();
  make_sync({.device = "gw", .limits = {.per_day = 4'000}});
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  wait_for_fetches();
  const std::size_t of_the_backlog = link_.sent.size();  // half of what is left is kept for live readings
  EXPECT_LT(of_the_backlog, 5U);
  link_.settle_all();
  store_segment();
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/live") == 1; }));
  EXPECT_EQ(link_.sent.back(), 7);
  for (int i = 0; i < 10; ++i) {
    link_.settle_all();
    store_segment();
    wait_for_fetches();
  }
  link_.settle_all();
  const std::size_t before = link_.sent.size();
  store_segment(Lane::alert);
  ASSERT_TRUE(loop_.run_until([this] { return link_.count("/alert") == 1; }));
  EXPECT_EQ(link_.sent.size(), before + 1) << "the day's bytes are used up: nothing but the alert";
  const SyncStatus status = sync_->status();
  EXPECT_EQ(status.day_bytes_max, 4'000);
  EXPECT_GT(status.day_bytes, 4'000);
  loop_.advance(status.day_resets_in);
  EXPECT_TRUE(loop_.run_until([this] {
    loop_.advance(milliseconds{100});  // acknowledgements are committed after a second
    link_.settle_all();
    return waiting(Lane::live) < 8;
  }));
}

TEST_F(SyncTest, WhatWaitedForTheNextDayIsBacklogAndTheNewestGoesFirstAgain) {
  make_sync({.device = "gw", .limits = {.per_day = 4'000}});
  link_.start();
  while (sync_->status().day_bytes < 4'000) {
    const std::size_t before = link_.sent.size();
    store_segment();
    ASSERT_TRUE(sent_reach(before + 1));
    link_.settle_all();
  }
  // Live readings go on all day, the last ones shortly before its end: each of them asks the budget anew.
  for (int i = 0; i < 3; ++i) store_segment();
  loop_.advance(sync_->status().day_resets_in - seconds{5});
  for (int i = 0; i < 3; ++i) store_segment();
  wait_for_fetches();
  const std::size_t of_the_first_day = link_.sent.size();
  loop_.advance(seconds{5});
  ASSERT_TRUE(sent_reach(of_the_first_day + 4));  // the window is full
  store_segment();
  wait_for_fetches();
  link_.settle_oldest();
  ASSERT_TRUE(sent_reach(of_the_first_day + 5));
  EXPECT_EQ(link_.sent.back(), static_cast<std::int64_t>(of_the_first_day) + 7);
}

TEST_F(SyncTest, TheLimitOfTheDayOutlivesARestart) {
  const SyncOptions options{.device = "gw", .limits = {.per_day = 100'000}, .budget_file = directory_.path() + "/byte_budget.json"};
  store_segment();
  make_sync(options);
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  const std::int64_t used = sync_->status().day_bytes;
  EXPECT_GT(used, 0);
  sync_->stop();
  loop_.advance(std::chrono::hours{1});
  ByteBudget again{clock_, options.limits};
  again.restore(read_file(options.budget_file, 4'096).value());
  EXPECT_EQ(again.used_today(), used);
  EXPECT_EQ(again.resets_in(), std::chrono::hours{23});
}

TEST_F(SyncTest, GoesOnWhenAnothersMessageHasLeftTheWindow) {
  store_segment();
  link_.window_bytes_max = 0;  // as if another's message filled it
  link_.in_flight.push_back({{"another", std::string(10, 'x'), 1, false, {}, {}}, [](const Result<void>&) {}});
  make_sync();
  link_.start();
  loop_.run_ready();
  EXPECT_TRUE(link_.sent.empty());
  link_.in_flight.clear();
  link_.room();
  ASSERT_TRUE(loop_.run_until([this] { return !link_.sent.empty(); }));
}

}  // namespace
}  // namespace fieldpost
