// SPDX-License-Identifier: Apache-2.0
// Topics in and out, and the order of things: the disk first, then the answer.
#include "agent/fleet/fleet_server.hpp"

#include <deque>

#include "agent/link/topic_filter.hpp"
#include "tests/agent/fleet/fleet_fixture.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

/// A broker's end that has room for so many messages.
class NarrowLink final : public Link {
 public:
  void start() override {}
  void stop(std::function<void()> done) override { done(); }
  Result<void> publish(Message message, PublishDone) override {
    if (!up) return Error{ErrorKind::Unavailable, "down"};
    if (room == 0) return Error{ErrorKind::Full, "full"};
    --room;
    published.push_back(std::move(message));
    return {};
  }
  void subscribe(std::string filter, int, std::function<void(std::string_view, std::string_view)> receive) override {
    filters.emplace_back(std::move(filter), std::move(receive));
  }
  bool connected() const override { return up; }
  std::size_t window(Urgency) const override { return room; }
  std::size_t window_bytes(Urgency) const override { return 1U << 20U; }
  LinkStatus status() const override { return {}; }
  void on_change(std::function<void(LinkState)> listener) override { changed = std::move(listener); }
  void on_room(std::function<void()> listener) override { roomy = std::move(listener); }

  int say(const std::string& topic, const std::string& payload) {
    int heard = 0;
    for (const auto& [filter, receive] : filters) {
      if (!topic_matches(filter, topic)) continue;
      ++heard;
      receive(topic, payload);
    }
    return heard;
  }

  bool up = true;
  std::size_t room = 1000;
  std::vector<Message> published;
  std::vector<std::pair<std::string, std::function<void(std::string_view, std::string_view)>>> filters;
  std::function<void(LinkState)> changed;
  std::function<void()> roomy;
};

class FleetServerTest : public FleetFixture {
 protected:
  void make_job(const std::string& device) {
    server_.answer(R"({"do":"group add","name":"g","devices":[")" + device + "\"]}");
    const auto made = Json::parse(server_.answer(R"({"do":"job create","name":"j","document":"{}","group":"g"})"));
    ASSERT_FALSE(made->at("error")) << made->text();
    loop_.advance(seconds{2});
  }
  std::size_t published(const std::string& topic) const {
    std::size_t found = 0;
    for (const auto& message : link_.published) found += message.topic == topic ? 1U : 0U;
    return found;
  }

  std::string status_of(const std::string& device) {
    auto rows = database_->ask("SELECT status FROM execution WHERE device = ?", {device});
    return rows.next() ? rows.text(0) : std::string{};
  }

  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  NarrowLink link_;
  FleetServer server_{loop_, log_.log(), link_, *database_, "fieldpost"};
};

TEST_F(FleetServerTest, HearsEveryRequestOnceAndNeverItself) {
  for (const char* place : {"presence", "jobs/get", "jobs/start-next", "jobs/$next/get", "jobs/j/get", "jobs/j/update", "shadow/get", "shadow/update",
                            "shadow/delete", "shadow/name/n/get", "shadow/name/n/update", "shadow/name/n/delete"}) {
    EXPECT_EQ(link_.say(std::string{"fieldpost/gw-1/"} + place, "{}"), 1) << place;
    EXPECT_EQ(link_.say(std::string{"fieldpost/gw-1/"} + place + "/accepted", "{}"), 0) << place;
  }
  for (const char* place : {"jobs/notify", "jobs/notify-next", "shadow/update/delta", "live", "alert"}) {
    EXPECT_EQ(link_.say(std::string{"fieldpost/gw-1/"} + place, "{}"), 0) << place;
  }
}

TEST_F(FleetServerTest, AnswersAfterTheCommitAndTogetherWithWhatCameInTheSameTurn) {
  link_.say("fieldpost/gw-1/jobs/get", "{}");
  link_.say("fieldpost/gw-2/jobs/start-next", "{}");
  EXPECT_TRUE(link_.published.empty()) << "nothing is durable yet";
  loop_.run_ready();
  EXPECT_EQ(published("fieldpost/gw-1/jobs/get/accepted"), 1U);
  EXPECT_EQ(published("fieldpost/gw-2/jobs/start-next/accepted"), 1U);
}

TEST_F(FleetServerTest, SaysNothingOfWhatCouldNotBeWritten) {
  database_->run("DROP TABLE execution");
  commit();
  link_.say("fieldpost/gw-1/jobs/start-next", "{}");
  loop_.run_ready();
  EXPECT_TRUE(link_.published.empty());
  EXPECT_TRUE(log_.contains("database cannot be written"));
  link_.say("fieldpost/gw-1/shadow/get", "{}");
  loop_.run_ready();
  EXPECT_EQ(published("fieldpost/gw-1/shadow/get/rejected"), 1U) << "the next turn is a new one";
}

TEST_F(FleetServerTest, WaitsForRoomInTheWindow) {
  link_.room = 1;
  link_.say("fieldpost/gw-1/jobs/get", "{}");
  link_.say("fieldpost/gw-2/jobs/get", "{}");
  loop_.run_ready();
  EXPECT_EQ(link_.published.size(), 1U);
  link_.room = 5;
  link_.roomy();
  EXPECT_EQ(link_.published.size(), 2U);
}

TEST_F(FleetServerTest, TellsAgainAfterALinkThatWasDown) {
  server_.start();
  make_job("gw-1");
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 1U);
  link_.up = false;
  link_.changed(LinkState::waiting);
  link_.up = true;
  link_.changed(LinkState::connected);
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 2U);
}

TEST_F(FleetServerTest, ARolloutStandsStillWhileTheLinkIsDown) {
  server_.start();
  link_.up = false;
  make_job("gw-1");
  loop_.advance(seconds{60});
  EXPECT_EQ(status_of("gw-1"), "WAITING");
  link_.up = true;
  link_.changed(LinkState::connected);
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 0U) << "it goes on at its rate, not with what was kept back";
  loop_.advance(seconds{1});
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 1U);
}

TEST_F(FleetServerTest, NobodyIsLateForWantOfALink) {
  server_.start();
  make_job("gw-1");
  link_.say("fieldpost/gw-1/jobs/start-next", R"({"stepTimeoutInMinutes":1})");
  loop_.run_ready();
  link_.up = false;
  link_.changed(LinkState::waiting);
  loop_.advance(seconds{3600});
  EXPECT_EQ(status_of("gw-1"), "IN_PROGRESS");
  link_.up = true;
  link_.changed(LinkState::connected);
  loop_.advance(seconds{DeviceJobs::kReportSeconds - 5});
  EXPECT_EQ(status_of("gw-1"), "IN_PROGRESS") << "its report is on its way";
  loop_.advance(seconds{10});
  EXPECT_EQ(status_of("gw-1"), "TIMED_OUT");
}

TEST_F(FleetServerTest, TellsOfAFloodOfWrongNamesInAFewLines) {
  for (int i = 0; i < 100; ++i) link_.say("fieldpost/a b" + std::to_string(i) + "/jobs/get", "{}");
  EXPECT_LE(log_.count("is not served"), 5U);
}

TEST_F(FleetServerTest, TellsADeviceThatHasJustCome) {
  server_.start();
  make_job("gw-1");
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 1U);
  link_.say("fieldpost/gw-1/presence", R"({"v":1,"online":true})");
  loop_.run_ready();
  EXPECT_EQ(published("fieldpost/gw-1/jobs/notify-next"), 2U);
  link_.say("fieldpost/gw-2/presence", R"({"v":1,"online":true})");
  loop_.run_ready();
  EXPECT_EQ(published("fieldpost/gw-2/jobs/notify-next"), 0U);
}

TEST_F(FleetServerTest, AnOperatorsMistakeUndoesNothingOfTheDevices) {
  link_.say("fieldpost/gw-1/shadow/update", R"({"state":{"reported":{"a":1}}})");
  const auto refused = Json::parse(server_.answer(R"({"do":"nonsense"})"));
  EXPECT_TRUE(refused->at("error"));
  loop_.run_ready();
  EXPECT_EQ(published("fieldpost/gw-1/shadow/update/accepted"), 1U);
  EXPECT_TRUE(Json::parse(server_.answer(R"({"do":"state get","name":"gw-1"})"))->at("devices")->at("gw-1")->is_object());
  EXPECT_TRUE(Json::parse(server_.answer("no json"))->at("error"));
}

}  // namespace
}  // namespace fieldpost
