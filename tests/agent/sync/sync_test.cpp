// SPDX-License-Identifier: Apache-2.0
// What is sent, in which order, and what leaves the store: a real store on a real disk, and a link that
// does as the test says.
#include "agent/sync/sync.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "platform/json.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

/// Takes messages while connected and open; the test acknowledges or fails them.
class FakeLink final : public Link {
 public:
  struct Published {
    Message message;
    PublishDone done;
  };

  explicit FakeLink(std::size_t window) : window_max_{window} {}

  void start() override { go(LinkState::connected); }
  void stop(std::function<void()> done) override {
    go(LinkState::stopped);
    done();
  }
  Result<void> publish(Message message, PublishDone done) override {
    if (!connected()) return Error{ErrorKind::Unavailable, "not connected"};
    if (message.payload.size() > bytes_max) return Error{ErrorKind::OutOfRange, "larger than the broker takes"};
    ++asked;
    if (message.payload.size() > window_bytes()) return Error{ErrorKind::Full, "bytes"};
    if (in_flight.size() >= window_max_) return Error{ErrorKind::Full, "window"};
    in_flight.push_back({std::move(message), std::move(done)});
    sent.push_back(seq_of(in_flight.back().message));
    return {};
  }
  void subscribe(std::string, int, std::function<void(std::string_view, std::string_view)>) override {}
  bool connected() const override { return state_ == LinkState::connected; }
  std::size_t window() const override { return connected() ? window_max_ - in_flight.size() : 0; }
  std::size_t window_bytes() const override {
    std::size_t used = 0;
    for (const auto& one : in_flight) used += one.message.payload.size();
    return in_flight.empty() ? std::numeric_limits<std::size_t>::max() : window_bytes_max - std::min(window_bytes_max, used);
  }
  LinkStatus status() const override { return {}; }
  void on_change(std::function<void(LinkState)> listener) override { listener_ = std::move(listener); }

  void go(LinkState state) {
    state_ = state;
    if (listener_) listener_(state);
  }

  /// As the real link when the peer closed the socket: connected() says so before the change is told.
  void hang_up() { state_ = LinkState::waiting; }

  /// As the real link: nothing can be published any more, every publish under way fails, the change is told.
  void lose_connection() {
    state_ = LinkState::waiting;
    auto lost = std::exchange(in_flight, {});
    for (auto& one : lost) one.done(Error{ErrorKind::Io, "connection lost"});
    go(LinkState::waiting);
  }

  void settle_oldest(Result<void> outcome = {}) {
    auto oldest = std::move(in_flight.front());
    in_flight.pop_front();
    oldest.done(std::move(outcome));
  }

  static std::int64_t seq_of(const Message& message) {
    return Json::parse(message.payload)->at("seq")->integer().value_or(-1);
  }

  std::size_t count(std::string_view topic_end) const {
    return static_cast<std::size_t>(std::count_if(in_flight.begin(), in_flight.end(), [&](const Published& one) {
      return one.message.topic.ends_with(topic_end);
    }));
  }

  std::deque<Published> in_flight;
  std::vector<std::int64_t> sent;
  std::size_t asked = 0;
  std::size_t window_bytes_max = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();

 private:
  std::size_t window_max_;
  LinkState state_ = LinkState::stopped;
  std::function<void(LinkState)> listener_;
};

using Seqs = std::vector<std::int64_t>;

class SyncTest : public testing::Test {
 protected:
  void SetUp() override {
    Series series;
    series.name = "fieldpost_simulated_value";
    id_ = series_.add(series).value();
    open_store();
  }

  void TearDown() override { store_->close(); }

  void open_store() {
    StoreOptions options;
    options.directory = directory_.path();
    options.age_max = seconds{0};
    store_ = std::make_unique<Store>(loop_, log_.log(), series_, options);
    ASSERT_TRUE(loop_.run_until([this] { return store_->status().disk_ok; }));
  }

  void make_sync(SyncOptions options = {.device = "gw"}) {
    sync_ = std::make_unique<Sync>(loop_, log_.log(), *store_, link_, std::move(options));
    sync_->start();
  }

  /// One segment with one sample, durable on return.
  void store_segment(Lane lane = Lane::live, int value = 0) {
    store_->add(lane, Sample{id_, value, clock_.now()});
    bool durable = false;
    store_->flush([&durable](const Result<void>& result) { durable = result.has_value(); });
    ASSERT_TRUE(loop_.run_until([&durable] { return durable; }));
  }

  bool sent_reach(std::size_t count) {
    return loop_.run_until([this, count] { return link_.sent.size() >= count; });
  }

  std::uint64_t waiting(Lane lane) const { return store_->status().waiting_segments[index(lane)]; }
  static std::size_t index(Lane lane) { return static_cast<std::size_t>(lane); }

  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  SeriesTable series_;
  SeriesId id_{};
  FakeLink link_{4};
  std::unique_ptr<Store> store_;
  std::unique_ptr<Sync> sync_;
};

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
  Seqs expected;
  for (int i = 1; i <= kSegments; ++i) expected.push_back(i);
  ASSERT_TRUE(loop_.run_until([this] {
    while (!link_.in_flight.empty()) link_.settle_oldest();
    return link_.sent.size() >= static_cast<std::size_t>(kSegments);
  }));
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
  while (!link_.in_flight.empty()) link_.settle_oldest();
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

TEST_F(SyncTest, AFetchUnderWayWhenTheConnectionBreaksLeavesNoHole) {
  constexpr int kSegments = 2 * static_cast<int>(Sync::kFetchSegments);
  for (int i = 0; i < kSegments; ++i) store_segment();
  make_sync();
  link_.start();  // fetches
  link_.lose_connection();
  link_.start();
  Seqs expected;
  for (int i = 1; i <= kSegments; ++i) expected.push_back(i);
  ASSERT_TRUE(loop_.run_until([this] {
    while (!link_.in_flight.empty()) link_.settle_oldest();
    return link_.sent.size() >= static_cast<std::size_t>(kSegments);
  }));
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
  make_sync({.device = "gw", .bytes_per_second_max = 100});
  link_.start();
  ASSERT_TRUE(sent_reach(1));
  loop_.run_ready();
  EXPECT_EQ(link_.sent.size(), 1U);
  const auto bytes = static_cast<std::int64_t>(sync_->status().payload_bytes);
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

}  // namespace
}  // namespace fieldpost
