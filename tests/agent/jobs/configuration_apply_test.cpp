// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

struct FakeConfiguration final : RemoteConfiguration {
  Result<void> apply(std::string_view id, std::string_view document) override {
    ++applied;
    if (busy) return Error{ErrorKind::Unavailable, "another is under way"};
    change.id = id;
    change.asked = document;
    change.state = wrong ? State::refused : State::armed;
    change.cause = wrong ? "unknown key" : "";
    if (wrong) return Error{ErrorKind::OutOfRange, "unknown key"};
    return {};
  }
  const ConfigurationChange& latest() const override { return change; }
  void on_change(std::function<void()>) override {}

  ConfigurationChange change;
  bool busy = false;
  bool wrong = false;
  int applied = 0;
};

struct ConfigurationApplyTest : OperationWorld {
  void SetUp() override {
    around.configuration = &changes;
    prepare();
  }
  void prepare() { make(&make_configuration_apply, R"({"operation":"configuration.apply","configuration":{"sampling":{"interval":"5s"}}})"); }
  FakeConfiguration changes;
};

TEST_F(ConfigurationApplyTest, SucceedsOnceItIsConfirmed) {
  operation->begin(*this, {});
  EXPECT_EQ(changes.change.asked, R"({"sampling":{"interval":"5s"}})");
  EXPECT_EQ(changes.change.id, "job-job-1-1");
  changes.change.state = State::trial;
  loop.advance(seconds{10});
  EXPECT_FALSE(ended);
  changes.change.state = State::confirmed;
  loop.advance(seconds{1});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(changes.applied, 1);
}

TEST_F(ConfigurationApplyTest, TheAgentAfterItFindsTheOutcomeByTheName) {
  changes.change = {State::put_back, "job-job-1-1", "{}", "{}", "the link is not up"};
  operation->begin(*this, {1, "", clock.boot_id()});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("reason"), "put back: the link is not up");
  EXPECT_EQ(changes.applied, 0);
}

TEST_F(ConfigurationApplyTest, CutOffBeforeItWasTakenItIsAskedAgain) {
  changes.change = {State::confirmed, "somebody else's", "{}", "{}", ""};
  operation->begin(*this, {1, "", clock.boot_id()});
  EXPECT_FALSE(ended);
  EXPECT_EQ(changes.applied, 1);
}

TEST_F(ConfigurationApplyTest, AWrongOneIsRejectedWithTheWords) {
  changes.wrong = true;
  operation->begin(*this, {});
  loop.advance(seconds{1});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::rejected);
  EXPECT_EQ(detail("reason"), "refused: unknown key");
}

TEST_F(ConfigurationApplyTest, WaitsForAnotherChangeButNotForEver) {
  changes.busy = true;
  operation->begin(*this, {});
  loop.advance(std::chrono::minutes{10});
  EXPECT_FALSE(ended);
  loop.advance(std::chrono::minutes{11});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(ConfigurationApplyTest, OneThatWasTakenGoesItsWayThoughTheJobIsCancelled) {
  operation->begin(*this, {});
  operation->stop();
  EXPECT_FALSE(ended);
  changes.change.state = State::put_back;
  loop.advance(seconds{1});
  EXPECT_TRUE(ended);
}

TEST_F(ConfigurationApplyTest, IsRejectedWhereNothingMayBeChanged) {
  document.emplace(*Json::parse("{}"));
  EXPECT_EQ(make_configuration_apply(around, {*document, job, 1}).error().kind(), ErrorKind::Malformed);
  around.configuration = nullptr;
  EXPECT_EQ(make_configuration_apply(around, {*document, job, 1}).error().kind(), ErrorKind::Denied);
}

}  // namespace
}  // namespace fieldpost
