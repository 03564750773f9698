// SPDX-License-Identifier: Apache-2.0
// The conversations: happy, refused, throttled, late, twice, out of order, and cut off at every message.
#include "agent/cloud/desired_state.hpp"

#include <gtest/gtest.h>

#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

/// Takes what it is told to, and settles when the test says so.
class FakeConfiguration final : public RemoteConfiguration {
 public:
  Result<void> apply(std::string_view id, std::string_view document) override {
    if (!is_settled(change.state)) return Error{ErrorKind::Unavailable, "busy"};
    ++applied;
    change.id = id;
    change.asked = document;
    change.cause.clear();
    if (!refusal.empty()) {
      become(State::refused, refusal);
      return Error{ErrorKind::Denied, refusal};
    }
    become(State::armed, "");
    return {};
  }
  const ConfigurationChange& latest() const override { return change; }
  void on_change(std::function<void()> listener) override { listeners.push_back(std::move(listener)); }

  void become(State state, std::string cause) {
    change.state = state;
    change.cause = std::move(cause);
    if (state == State::confirmed || state == State::trial) change.running = change.asked;
    if (state == State::put_back) change.running = "{}";
    for (const auto& listener : listeners) listener();
  }

  ConfigurationChange change;
  std::string refusal;
  int applied = 0;
  std::vector<std::function<void()>> listeners;
};

class DesiredStateTest : public testing::Test {
 protected:
  void make(CloudOptions options) {
    options_ = options;
    state_.emplace(loop_, log_.log(), link_, configuration_, options_, DesiredState::Names{"fp", "gw-1", "1.2.3"});
    link_.up = false;
    state_->start();
    link_.go(true);
  }

  Link::Message last() const { return link_.published.empty() ? Link::Message{} : link_.published.back(); }
  Json last_json() const { return *Json::parse(last().payload); }
  std::string token() const { return last_json().at("clientToken")->string().value_or(""); }
  std::string rid() const {
    const std::string topic = last().topic;
    return topic.substr(topic.find("$rid=") + 5);
  }

  void shadow_is(const std::string& desired, const std::string& reported, int version) {
    link_.say(place_ + "/get/accepted", "{\"state\":{\"desired\":" + desired + ",\"reported\":" + reported + "},\"version\":" +
                                            std::to_string(version) + ",\"clientToken\":\"" + token() + "\"}");
  }
  void update_accepted() {
    link_.say(place_ + "/update/accepted", "{\"state\":{},\"version\":9,\"clientToken\":\"" + token() + "\"}");
  }
  void rejected(const std::string& what, int code) {
    link_.say(place_ + "/" + what + "/rejected", "{\"code\":" + std::to_string(code) + ",\"message\":\"no\",\"clientToken\":\"" + token() + "\"}");
  }
  void delta(int version) { link_.say(place_ + "/update/delta", "{\"state\":{\"x\":1},\"version\":" + std::to_string(version) + "}"); }
  bool asks() const { return last().topic == place_ + "/get"; }
  bool reports() const { return last().topic == place_ + "/update"; }
  std::string told(const char* key) const {
    const auto change = last_json().at("state")->at("reported")->at("change");
    const auto member = change ? change->at(key) : std::nullopt;
    return member ? member->string().value_or(member->text()) : "";
  }

  const std::string kWanted = R"({"configuration":{"log":{"level":"debug"}},"revision":"r1"})";
  std::string place_ = "fp/gw-1/shadow";
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  ListeningLink link_;
  FakeConfiguration configuration_;
  CloudOptions options_;
  std::optional<DesiredState> state_;
};

TEST_F(DesiredStateTest, AsksWhenTheLinkComesUpAndReportsWhatRuns) {
  make({});
  ASSERT_TRUE(asks());
  shadow_is("{}", "{}", 3);
  ASSERT_TRUE(reports());
  EXPECT_EQ(last_json().at("state")->text(), R"({"reported":{"configuration":{},"change":{"state":"none"},"agent":"1.2.3"}})");
  const std::size_t before = link_.published.size();
  update_accepted();
  EXPECT_EQ(link_.published.size(), before) << "what is told needs no telling";
}

TEST_F(DesiredStateTest, WhatIsWantedIsAppliedOnceAndItsFateReported) {
  make({});
  shadow_is(kWanted, "{}", 7);
  EXPECT_EQ(configuration_.applied, 1);
  EXPECT_EQ(configuration_.change.asked, R"({"log":{"level":"debug"}})");
  EXPECT_EQ(told("state"), "armed");
  EXPECT_EQ(told("revision"), "r1");
  EXPECT_EQ(told("desired_version"), "7");
  update_accepted();
  configuration_.become(State::trial, "");
  EXPECT_EQ(last_json().at("state")->text(), R"({"reported":{"configuration":{"log":{"level":"debug"}},"change":{"state":"trial"}}})");
  update_accepted();
  configuration_.become(State::confirmed, "");
  EXPECT_EQ(told("state"), "confirmed");
  update_accepted();
  delta(10);
  ASSERT_TRUE(asks());
  shadow_is(R"({"revision":"r1","configuration":{"log":{"level":"debug"}}})", R"({"configuration":{"log":{"level":"debug"}},
      "change":{"desired_version":7,"revision":"r1","state":"confirmed"},"agent":"1.2.3"})", 10);
  EXPECT_EQ(configuration_.applied, 1) << "the same again is nothing new, whatever the order of keys";
  EXPECT_TRUE(asks()) << "and there is nothing to report";
}

TEST_F(DesiredStateTest, WhatWasPutBackIsNotTriedAgainUntilARevisionAsksForIt) {
  make({});
  shadow_is(kWanted, "{}", 7);
  update_accepted();
  configuration_.become(State::put_back, "the link is not up");
  EXPECT_EQ(told("state"), "put_back");
  EXPECT_EQ(told("cause"), "the link is not up");
  update_accepted();
  delta(12);
  shadow_is(kWanted, "{}", 12);
  EXPECT_EQ(configuration_.applied, 1);
  update_accepted();
  delta(14);
  shadow_is(R"({"configuration":{"log":{"level":"debug"}},"revision":"r2"})", "{}", 14);
  EXPECT_EQ(configuration_.applied, 2);
}

TEST_F(DesiredStateTest, ALongRevisionIsCutBeforeACharacterAndKnownAfterARestart) {
  const std::string desired = R"({"configuration":{"log":{"level":"debug"}},"revision":"x)" + std::string(58, 'x') + "\xC3\xA4 and more\"}";
  make({});
  shadow_is(desired, "{}", 7);
  EXPECT_EQ(configuration_.change.id, "state " + std::string(59, 'x') + "@7");
  EXPECT_EQ(told("revision"), std::string(59, 'x'));
  update_accepted();
  configuration_.become(State::put_back, "the link is not up");
  update_accepted();
  delta(12);
  shadow_is(desired, "{}", 12);
  EXPECT_EQ(configuration_.applied, 1);
}

TEST_F(DesiredStateTest, ARefusalIsReportedWithItsWords) {
  configuration_.refusal = "[device] may not be changed from afar";
  make({});
  shadow_is(R"({"configuration":{"device":{}}})", "{}", 7);
  EXPECT_EQ(told("state"), "refused");
  EXPECT_EQ(told("cause"), "[device] may not be changed from afar");
  EXPECT_EQ(last_json().at("state")->at("reported")->at("configuration")->text(), "{}") << "what runs is what ran";
}

TEST_F(DesiredStateTest, ADeltaThatIsLateOrRepeatedIsIgnored) {
  make({});
  shadow_is("{}", "{}", 7);
  update_accepted();
  const std::size_t before = link_.published.size();
  delta(7);
  delta(5);
  EXPECT_EQ(link_.published.size(), before);
  delta(8);
  EXPECT_EQ(link_.published.size(), before + 1);
  delta(8);
  EXPECT_EQ(link_.published.size(), before + 1) << "one question is under way";
  shadow_is("{}", R"({"configuration":{},"change":{"state":"none"},"agent":"1.2.3"})", 8);
  EXPECT_EQ(link_.published.size(), before + 1);
}

TEST_F(DesiredStateTest, WhatChangesDuringAQuestionIsAskedAfterIt) {
  make({});
  delta(9);
  shadow_is("{}", "{}", 8);
  EXPECT_TRUE(asks()) << "the answer was older than the news";
  shadow_is("{}", "{}", 9);
  EXPECT_TRUE(reports());
  delta(11);
  EXPECT_TRUE(reports()) << "the report is under way";
  update_accepted();
  EXPECT_TRUE(asks());
}

TEST_F(DesiredStateTest, AChangeDuringATrialWaitsForItsEnd) {
  configuration_.change.state = State::trial;
  configuration_.change.id = "job 4";
  configuration_.change.asked = R"({"log":{"level":"warn"}})";
  make({});
  shadow_is(kWanted, "{}", 7);
  EXPECT_EQ(configuration_.applied, 0);
  EXPECT_EQ(told("asked_by"), "job 4");
  update_accepted();
  configuration_.become(State::confirmed, "");
  ASSERT_TRUE(asks());
  shadow_is(kWanted, "{}", 7);
  EXPECT_EQ(configuration_.applied, 1);
}

TEST_F(DesiredStateTest, AKeyTakenOutIsInNoDeltaAndHeardAllTheSame) {
  make({});
  shadow_is("{}", "{}", 7);
  update_accepted();
  link_.say(place_ + "/update/accepted", R"({"state":{"desired":{"configuration":null}},"version":20})");
  EXPECT_TRUE(asks());
}

TEST_F(DesiredStateTest, WithoutAConfigurationAnyMoreTheFilesAloneCount) {
  make({});
  shadow_is(kWanted, "{}", 7);
  configuration_.become(State::confirmed, "");
  update_accepted();
  update_accepted();
  delta(30);
  // The service leaves out a part that is empty.
  link_.say(place_ + "/get/accepted", "{\"state\":{\"reported\":{}},\"version\":30,\"clientToken\":\"" + token() + "\"}");
  EXPECT_EQ(configuration_.applied, 2);
  EXPECT_EQ(configuration_.change.asked, "{}");
}

TEST_F(DesiredStateTest, NobodyHasMadeAShadowSoTheReportDoes) {
  make({});
  rejected("get", 404);
  EXPECT_TRUE(reports());
  EXPECT_TRUE(state_->status().last_error.empty());
}

TEST_F(DesiredStateTest, ThrottledOrWithoutAnAnswerItAsksEverMoreSeldom) {
  make({});
  rejected("get", 429);
  EXPECT_EQ(link_.published.size(), 1U);
  loop_.advance(DesiredState::kPatience);
  EXPECT_EQ(link_.published.size(), 2U);
  loop_.advance(DesiredState::kPatience);
  EXPECT_EQ(link_.published.size(), 2U);
  loop_.advance(DesiredState::kPatience);
  EXPECT_EQ(link_.published.size(), 3U);
  loop_.advance(std::chrono::hours{2});
  const std::size_t before = link_.published.size();
  EXPECT_LT(before, 40U);
  loop_.advance(DesiredState::kPatienceMax);
  EXPECT_EQ(link_.published.size(), before + 1);
}

TEST_F(DesiredStateTest, AnAnswerToAnEarlierQuestionIsNone) {
  make({});
  const std::string old = token();
  loop_.advance(DesiredState::kPatience);
  ASSERT_EQ(link_.published.size(), 2U);
  link_.say(place_ + "/get/accepted", "{\"state\":{\"desired\":" + kWanted + "},\"version\":2,\"clientToken\":\"" + old + "\"}");
  link_.say(place_ + "/get/accepted", "{\"state\":{\"desired\":" + kWanted + "},\"version\":2}");
  EXPECT_EQ(configuration_.applied, 0);
  EXPECT_EQ(link_.published.size(), 2U);
}

TEST_F(DesiredStateTest, AReportThatConflictsIsMadeAnew) {
  make({});
  shadow_is("{}", "{}", 7);
  ASSERT_TRUE(reports());
  rejected("update", 409);
  loop_.advance(DesiredState::kPatience);
  ASSERT_TRUE(asks());
  shadow_is("{}", "{}", 8);
  EXPECT_TRUE(reports());
}

TEST_F(DesiredStateTest, AReportThatIsTooLargeIsNotRepeatedUntilSomethingChanges) {
  make({});
  shadow_is("{}", "{}", 7);
  rejected("update", 413);
  const std::size_t before = link_.published.size();
  loop_.advance(std::chrono::hours{1});
  EXPECT_EQ(link_.published.size(), before);
  EXPECT_EQ(state_->status().last_error, "the cloud refuses: 413 no");
  configuration_.change.id = "job 1";
  configuration_.change.asked = "{}";
  configuration_.become(State::confirmed, "");
  EXPECT_GT(link_.published.size(), before);
}

TEST_F(DesiredStateTest, WhatHasNoRoomBesideItsReportIsRefusedHere) {
  make({.profile = CloudOptions::Profile::aws});
  place_ = "$aws/things/gw-1/shadow";
  shadow_is("{\"configuration\":{\"log\":{\"level\":\"" + std::string(4'000, 'x') + "\"}}}", "{}", 7);
  EXPECT_EQ(configuration_.applied, 0);
  EXPECT_EQ(told("state"), "refused");
  EXPECT_EQ(told("cause"), "the configuration has 4020 bytes; with its report it fits up to 3072");
}

TEST_F(DesiredStateTest, OthersKeepTheirsInTheSameDocument) {
  make({});
  shadow_is(R"({"colour":"red"})", R"({"colour":"blue","agent":"1.0.0","change":{"state":"none","cause":"old"}})", 7);
  EXPECT_EQ(last_json().at("state")->text(), R"({"reported":{"configuration":{},"change":{"cause":null},"agent":"1.2.3"}})");
}

TEST_F(DesiredStateTest, ANamedShadowHasItsOwnTopics) {
  make({.profile = CloudOptions::Profile::aws, .shadow = "field"});
  EXPECT_EQ(last().topic, "$aws/things/gw-1/shadow/name/field/get");
  EXPECT_TRUE(link_.hears("$aws/things/gw-1/shadow/name/field/update/delta"));
}

TEST_F(DesiredStateTest, NonsenseIsNotBelieved) {
  make({});
  for (const char* text : {"", "{", "[]", "3", "{\"clientToken\":3}"}) {
    for (const char* end : {"/get/accepted", "/get/rejected", "/update/accepted", "/update/rejected", "/update/delta"}) link_.say(place_ + end, text);
  }
  EXPECT_EQ(link_.published.size(), 1U);
  link_.say(place_ + "/get/accepted", "{\"clientToken\":\"" + token() + "\"}");
  EXPECT_EQ(link_.published.size(), 1U) << "an answer without a state is no answer";
  loop_.advance(DesiredState::kPatience);
  EXPECT_EQ(link_.published.size(), 2U);
}

/// Whatever the last message was before the connection was lost, the next connection ends in the truth.
TEST_F(DesiredStateTest, CutOffAtEveryMessageItEndsInTheTruth) {
  for (int cut = 0; cut < 6; ++cut) {
    configuration_ = {};
    link_.published.clear();
    state_.reset();
    link_ = {};
    make({});
    int step = 0;
    const auto lost = [&] {
      if (step++ != cut) return false;
      link_.go(false);
      link_.go(true);
      return true;
    };
    bool was_cut = lost();
    shadow_is(kWanted, "{}", 7);
    if (!was_cut) was_cut = lost();
    if (asks()) shadow_is(kWanted, "{}", 7);
    if (reports()) update_accepted();
    if (!was_cut) was_cut = lost();
    if (asks()) shadow_is(kWanted, "{}", 8);
    if (reports()) update_accepted();
    if (configuration_.change.state == State::armed) configuration_.become(State::trial, "");
    if (!was_cut) was_cut = lost();
    if (asks()) shadow_is(kWanted, "{}", 9);
    if (reports()) update_accepted();
    configuration_.become(State::confirmed, "");
    if (!was_cut) was_cut = lost();
    if (asks()) shadow_is(kWanted, "{}", 10);
    EXPECT_EQ(told("state"), "confirmed") << "cut " << cut;
    if (reports()) update_accepted();
    if (!was_cut) was_cut = lost();
    EXPECT_EQ(configuration_.applied, 1) << "cut " << cut;
  }
}

class TwinTest : public DesiredStateTest {
 protected:
  void SetUp() override { make({.profile = CloudOptions::Profile::azure}); }
  void answer(int status, const std::string& more = "", const std::string& payload = "") {
    link_.say_below("$iothub/twin/res/#", "$iothub/twin/res/" + std::to_string(status) + "/?$rid=" + rid() + more, payload);
  }
  void patched(int version) {
    link_.say_below("$iothub/twin/PATCH/properties/desired/#", "$iothub/twin/PATCH/properties/desired/?$version=" + std::to_string(version), "{}");
  }
  bool gets() const { return last().topic.starts_with("$iothub/twin/GET/?$rid="); }
  bool patches() const { return last().topic.starts_with("$iothub/twin/PATCH/properties/reported/?$rid="); }
};

TEST_F(TwinTest, AsksAppliesAndReports) {
  ASSERT_TRUE(gets());
  EXPECT_TRUE(last().payload.empty());
  answer(200, "", R"({"desired":{"configuration":{"log":{"level":"debug"}},"revision":3,"$version":4},"reported":{"$version":9}})");
  EXPECT_EQ(configuration_.change.id, "state 3@4");
  ASSERT_TRUE(patches());
  EXPECT_EQ(last().payload,
            R"({"configuration":{},"change":{"state":"armed","revision":"3","desired_version":4},"agent":"1.2.3"})");
  answer(204, "&$version=10");
  configuration_.become(State::trial, "");
  EXPECT_EQ(last().payload, R"({"configuration":{"log":{"level":"debug"}},"change":{"state":"trial"}})");
}

TEST_F(TwinTest, APatchOfANewerVersionIsFetchedAndAnOlderOneNot) {
  answer(200, "", R"({"desired":{"$version":4},"reported":{"$version":1}})");
  answer(204, "&$version=2");
  const std::size_t before = link_.published.size();
  patched(4);
  patched(3);
  EXPECT_EQ(link_.published.size(), before);
  patched(5);
  EXPECT_TRUE(gets());
}

TEST_F(TwinTest, ThrottledItWaits) {
  answer(429);
  EXPECT_EQ(link_.published.size(), 1U);
  loop_.advance(DesiredState::kPatience);
  EXPECT_TRUE(gets());
  EXPECT_EQ(link_.published.size(), 2U);
}

TEST_F(TwinTest, ABadReportIsNotRepeated) {
  answer(200, "", R"({"desired":{"$version":4},"reported":{"$version":1}})");
  answer(400, "", "{\"message\":\"no\"}");
  const std::size_t before = link_.published.size();
  loop_.advance(std::chrono::hours{1});
  EXPECT_EQ(link_.published.size(), before);
}

TEST_F(TwinTest, AnAnswerToAnotherQuestionIsNone) {
  link_.say_below("$iothub/twin/res/#", "$iothub/twin/res/200/?$rid=other", R"({"desired":{"configuration":{},"$version":4}})");
  EXPECT_EQ(link_.published.size(), 1U);
  EXPECT_EQ(configuration_.applied, 0);
}

}  // namespace
}  // namespace fieldpost
