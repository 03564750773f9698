// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/presence.hpp"

#include <gtest/gtest.h>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

class RoomyOrNotLink final : public Link {
 public:
  void start() override {}
  void stop(std::function<void()> done) override { done(); }
  Result<void> publish(Message message, PublishDone) override {
    if (full) return Error{ErrorKind::Full, "full"};
    published.push_back(std::move(message));
    return {};
  }
  void subscribe(std::string, int, std::function<void(std::string_view, std::string_view)>) override {}
  bool connected() const override { return true; }
  std::size_t window(Urgency) const override { return 1; }
  std::size_t window_bytes(Urgency) const override { return 1; }
  LinkStatus status() const override { return {}; }
  void on_change(std::function<void(LinkState)> listener) override { changed = std::move(listener); }
  void on_room(std::function<void()> listener) override { roomy = std::move(listener); }

  bool full = false;
  std::vector<Message> published;
  std::function<void(LinkState)> changed;
  std::function<void()> roomy;
};

struct PresenceTest : testing::Test {
  RoomyOrNotLink link;
  Presence presence{link, "fieldpost/gw-1", "0.4.0", [] { return UtcTime{seconds{1'793'491'200}}; }};
};

TEST_F(PresenceTest, SaysAtEachConnectionThatTheDeviceIsThere) {
  EXPECT_TRUE(link.published.empty());
  link.changed(LinkState::connecting);
  link.changed(LinkState::connected);
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_EQ(link.published[0].topic, "fieldpost/gw-1/presence");
  EXPECT_TRUE(link.published[0].retain);
  EXPECT_EQ(link.published[0].payload, R"({"v":1,"online":true,"version":"0.4.0","started":"2026-11-01T00:00:00.000Z"})");
  link.roomy();
  EXPECT_EQ(link.published.size(), 1U);
  link.changed(LinkState::waiting);
  link.changed(LinkState::connected);
  EXPECT_EQ(link.published.size(), 2U);
}

TEST_F(PresenceTest, WaitsForRoom) {
  link.full = true;
  link.changed(LinkState::connected);
  link.full = false;
  link.roomy();
  EXPECT_EQ(link.published.size(), 1U);
}

TEST_F(PresenceTest, ForgetsWhatIsDueWithTheConnection) {
  link.full = true;
  link.changed(LinkState::connected);
  link.changed(LinkState::waiting);
  link.full = false;
  link.roomy();
  EXPECT_TRUE(link.published.empty());
}

TEST_F(PresenceTest, TakesItsLeaveInTheWordsOfItsWill) {
  presence.leave();
  const LinkOptions::Will will = Presence::will("fieldpost/gw-1");
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_EQ(link.published[0].payload, will.payload);
  EXPECT_EQ(link.published[0].topic, will.topic);
  EXPECT_TRUE(link.published[0].retain && will.retain);
  EXPECT_EQ(Json::parse(will.payload)->at("online")->boolean(), false);
}

}  // namespace
}  // namespace fieldpost
