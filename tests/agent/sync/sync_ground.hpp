// SPDX-License-Identifier: Apache-2.0
// The ground of the tests of Sync: a real store on a real disk, and a link that does as the test says.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/sync/sync.hpp"
#include "platform/json.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

using Seqs = std::vector<std::int64_t>;

/// Takes messages while connected and open; the test acknowledges or fails them.
class FakeLink final : public Link {
 public:
  struct Published {
    Message message;
    PublishDone done;
  };

  explicit FakeLink(std::size_t window) : window_max_{window} {}

  void start() override {
    ++starts;
    go(LinkState::connected);
  }
  void stop(std::function<void()> done) override {
    go(LinkState::stopped);
    if (done) done();
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
  void subscribe(std::string filter, int, std::function<void(std::string_view, std::string_view)> receive) override {
    subscriptions[filter] = std::move(receive);
  }
  void use_will(std::function<LinkOptions::Will()> next) override { next_will = std::move(next); }
  void deliver(const std::string& topic, const std::string& payload) { subscriptions.at(topic)(topic, payload); }
  bool connected() const override { return state_ == LinkState::connected; }
  std::size_t window(Urgency urgency) const override {
    return connected() && (urgency == Urgency::urgent || !full_for_ordinary) ? window_max_ - in_flight.size() : 0;
  }
  std::size_t window_bytes(Urgency /*urgency*/ = Urgency::urgent) const override {
    std::size_t used = 0;
    for (const auto& one : in_flight) used += one.message.payload.size();
    return in_flight.empty() ? std::numeric_limits<std::size_t>::max() : window_bytes_max - std::min(window_bytes_max, used);
  }
  LinkStatus status() const override { return {}; }
  void on_change(std::function<void(LinkState)> listener) override { listener_ = std::move(listener); }
  void on_room(std::function<void()> listener) override { room = std::move(listener); }

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

  void settle_all() {
    while (!in_flight.empty()) settle_oldest();
  }

  /// -1 of what is no plain JSON.
  static std::int64_t seq_of(const Message& message) {
    const auto json = Json::parse(message.payload);
    const auto seq = json ? json->at("seq") : std::nullopt;
    return seq ? seq->integer().value_or(-1) : -1;
  }

  Seqs sent_without(const Seqs& these) const {
    Seqs others;
    std::copy_if(sent.begin(), sent.end(), std::back_inserter(others),
                 [&](std::int64_t seq) { return std::find(these.begin(), these.end(), seq) == these.end(); });
    return others;
  }

  std::size_t count(std::string_view topic_end) const {
    return static_cast<std::size_t>(std::count_if(in_flight.begin(), in_flight.end(), [&](const Published& one) {
      return one.message.topic.ends_with(topic_end);
    }));
  }

  std::map<std::string, std::function<void(std::string_view, std::string_view)>> subscriptions;  ///< by filter
  std::function<LinkOptions::Will()> next_will;
  std::size_t starts = 0;
  std::function<void()> room;  ///< who wants to know that there is some again
  std::deque<Published> in_flight;
  Seqs sent;
  std::size_t asked = 0;
  bool full_for_ordinary = false;
  std::size_t window_bytes_max = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();

 private:
  std::size_t window_max_;
  LinkState state_ = LinkState::stopped;
  std::function<void(LinkState)> listener_;
};

class SyncTest : public testing::Test {
 protected:
  void SetUp() override {
    Series series;
    series.name = "fieldpost_simulated_value";
    id_ = series_.add(series).value();
    open_store();
  }

  void TearDown() override { store_->close(); }

  void open_store(seconds age_max = seconds{0}) {
    StoreOptions options;
    options.directory = directory_.path();
    options.age_max = age_max;
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

  /// Those that sync has begun; the store does one after another.
  void wait_for_fetches() {
    bool done = false;
    store_->fetch(Lane::live, 0, 1, 1, [&](const auto&) { done = true; });
    ASSERT_TRUE(loop_.run_until([&] { return done; }));
  }

  bool sent_reach(std::size_t count) {
    return loop_.run_until([this, count] { return link_.sent.size() >= count; });
  }

  /// Everything is acknowledged as it is sent, until so many were.
  bool drained(std::size_t count) {
    return loop_.run_until([this, count] {
      link_.settle_all();
      return link_.sent.size() >= count;
    });
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

}  // namespace fieldpost
