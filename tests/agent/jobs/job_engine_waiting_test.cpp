// SPDX-License-Identifier: Apache-2.0
// What a job waits for before it begins: window, wave, a clock that is right, the end of a configuration's trial.
#include <gtest/gtest.h>

#include "tests/agent/jobs/job_world.hpp"

namespace fieldpost {
namespace {

using State = JobEngine::State;
using Words = std::vector<std::string>;

const std::string kQuick = R"({"operation":"work","what":"quick"})";

/// What is on trial is settled when the test says so.
struct TrialConfiguration final : RemoteConfiguration {
  Result<void> apply(std::string_view, std::string_view) override { return {}; }
  const ConfigurationChange& latest() const override { return change; }
  void on_change(std::function<void()>) override {}
  ConfigurationChange change{.state = ConfigurationChange::State::trial};
};

struct JobWaitingTest : testing::Test {
  JobStatus status(const std::string& job) { return world.cloud.job(job).execution.status; }
  World world;
};

TEST_F(JobWaitingTest, WaitsForTheWindow) {
  world.options.window = *maintenance_window("02:00-03:00", {}, false);
  world.boot();
  world.cloud.add("one", kQuick);
  world.cloud.add("look", R"({"operation":"look","what":"quick"})");
  world.go(std::chrono::minutes{119});
  EXPECT_EQ(world.state(), State::waiting);
  EXPECT_EQ(world.engine->status().waits_for, "the maintenance window");
  EXPECT_TRUE(world.cloud.reports.empty());
  world.boot(true);  // the wait outlives a reboot
  world.go(std::chrono::minutes{2});
  EXPECT_EQ(world.runs["one"], 1);
}

TEST_F(JobWaitingTest, AJobThatDisturbsNothingWaitsForNoWindow) {
  world.options.window = *maintenance_window("02:00-03:00", {}, false);
  world.boot();
  world.cloud.add("look", R"({"operation":"look","what":"quick"})");
  world.go();
  EXPECT_EQ(world.runs["look"], 1);
}

TEST_F(JobWaitingTest, TellsOnceThatItWaitsIfItShall) {
  world.options.window = *maintenance_window("02:00-03:00", {}, false);
  world.options.waiting_is_told = true;
  world.boot();
  world.cloud.add("one", kQuick);
  world.go(std::chrono::minutes{10});
  EXPECT_EQ(world.cloud.job("one").heard, Words{"IN_PROGRESS"});
  EXPECT_EQ(world.cloud.job("one").details[1].second, "waits for the maintenance window");
  EXPECT_EQ(world.cloud.reports.back().step_minutes, 0);
  world.go(std::chrono::minutes{111});
  EXPECT_EQ(status("one"), JobStatus::succeeded);
}

TEST_F(JobWaitingTest, AWaitingJobThatIsTakenBackIsForgotten) {
  world.options.window = *maintenance_window("02:00-03:00", {}, false);
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  world.cloud.take_back("one", JobStatus::canceled);
  world.go();
  EXPECT_EQ(world.state(), State::idle);
  world.go(std::chrono::hours{3});
  EXPECT_EQ(world.runs["one"], 0);
}

TEST_F(JobWaitingTest, DuringATrialOfTheConfigurationNothingBegins) {
  TrialConfiguration configuration;
  world.around.configuration = &configuration;
  world.boot();
  world.cloud.add("look", R"({"operation":"look","what":"quick"})");
  world.go();
  EXPECT_EQ(world.state(), State::waiting);
  EXPECT_EQ(world.engine->status().waits_for, "the end of a configuration's trial");
  configuration.change.state = ConfigurationChange::State::confirmed;
  world.go();
  EXPECT_EQ(world.runs["look"], 1);
  world.engine->stop();
}

TEST_F(JobWaitingTest, WaitsForItsWave) {
  const std::string document = R"({"operation":"work","what":"quick","waves":{"count":10,"interval_seconds":600}})";
  const auto delay = std::chrono::minutes{10} * wave_of("gw-1", 10);
  ASSERT_GT(delay.count(), 0);
  world.boot();
  world.cloud.add("one", document);
  world.go(delay - seconds{1});
  EXPECT_EQ(world.runs["one"], 0);
  world.go(seconds{12});
  EXPECT_EQ(world.runs["one"], 1);
}

TEST_F(JobWaitingTest, AQueueTimeFromTheFutureDoesNotHoldAJobBack) {
  world.boot();
  world.cloud.add("one", kQuick);
  world.cloud.job("one").execution.queued_at += std::chrono::hours{1000};
  world.go();
  EXPECT_EQ(world.runs["one"], 1);
}

TEST_F(JobWaitingTest, AWindowWaitsForAClockThatIsRightButNotForEver) {
  world.options.window = *maintenance_window("00:00-03:00", {}, false);
  UtcReading wrong = world.clock.utc();
  wrong.synchronised = false;
  world.clock.set_utc(wrong);
  world.boot();
  world.cloud.add("one", kQuick);
  world.cloud.add("two", kQuick);
  world.go(std::chrono::minutes{59});
  EXPECT_EQ(world.engine->status().waits_for, "a clock that is right");
  world.go(std::chrono::minutes{2});
  EXPECT_EQ(world.runs["one"], 1);
  EXPECT_EQ(world.runs["two"], 0);
  wrong = world.clock.utc();
  wrong.synchronised = true;
  world.clock.set_utc(wrong);
  world.go();
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobWaitingTest, WithoutAWindowNoClockIsWaitedFor) {
  UtcReading wrong = world.clock.utc();
  wrong.synchronised = false;
  world.clock.set_utc(wrong);
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  EXPECT_EQ(world.runs["one"], 1);
}

}  // namespace
}  // namespace fieldpost
