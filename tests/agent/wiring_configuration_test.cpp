// SPDX-License-Identifier: Apache-2.0
// A change from afar: checked, written down, tried, and confirmed or put back; and what a start makes of what a kill left.
#include "agent/wiring_configuration.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/durable_file.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

constexpr const char* kDebug = R"({"log":{"level":"debug"}})";
constexpr const char* kWarn = R"({"log":{"level":"warn"}})";

class WiredConfigurationTest : public testing::Test {
 protected:
  ConfigurationResult load(const DropIn* overlay) {
    ++loads_;
    ConfigurationContext context{.file_name = "gw.toml",
                                 .directory = directory_.path(),
                                 .host_name = "gw17",
                                 .drivers = driver_table(),
                                 .files_are_checked = false};
    if (overlay != nullptr) context.drop_ins.push_back(*overlay);
    return read_configuration("[device]\nstate_directory = \"" + directory_.path() + "\"\n[broker]\nurl = \"mqtts://b\"\n[cloud]\n" +
                                  "desired_state = " + (allowed_ ? "true" : "false") + "\n" + file_,
                              context);
  }

  /// As a new process does.
  void begin() {
    changed_.reset();
    auto started = load_start_configuration([this](const DropIn* overlay) { return load(overlay); });
    configuration_ = std::move(started.loaded.configuration);
    ok_ = started.loaded.ok();
    if (!started.changes) return;
    started.changes.begin_anew = [this] { ++begun_anew_; };
    changed_.emplace(loop_, log_.log(), std::move(started.changes),
                     WiredConfiguration::Health{[this] { return link_; }, [this] { return sources_; }, [this] { return !job_runs_; }}, seconds{60});
    changed_->on_change([this] { states_.push_back(changed_->latest().state); });
    changed_->start();
  }

  void wait_for(State state) {
    ASSERT_TRUE(loop_.run_until([&] { return !states_.empty() && states_.back() == state; })) << to_string(changed_->latest().state);
  }

  /// Armed, and the agent begun anew.
  void arm(const char* document = kDebug) {
    ASSERT_TRUE(changed_->apply("job 1", document));
    wait_for(State::armed);
    loop_.advance(WiredConfiguration::kBeginPause);
    ASSERT_EQ(begun_anew_, 1);
    begun_anew_ = 0;
    begin();
  }

  /// Time passes, and the worker's answers with it.
  void pass(nanoseconds time) {
    for (nanoseconds passed{0}; passed < time; passed += seconds{1}) {
      loop_.advance(seconds{1});
      drain();
    }
  }
  void drain() {
    int turns = 0;
    static_cast<void>(loop_.run_until([&] { return ++turns > 0; }));
  }

  bool allowed_ = true;
  std::string file_;
  int loads_ = 0;
  int begun_anew_ = 0;
  bool ok_ = false;
  bool job_runs_ = false;
  std::string link_;
  std::vector<WiredConfiguration::Health::Source> sources_{{"cpu", true}, {"load", true}, {"hwmon", false}};
  std::vector<State> states_;
  Configuration configuration_;
  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  std::optional<WiredConfiguration> changed_;
};

TEST_F(WiredConfigurationTest, WhatProvesItselfIsConfirmedAndStays) {
  begin();
  arm();
  EXPECT_EQ(configuration_.log_level, LogLevel::debug);
  EXPECT_EQ(changed_->latest().state, State::trial);
  EXPECT_EQ(changed_->latest().id, "job 1");
  loop_.advance(WiredConfiguration::kSteady - seconds{1});
  EXPECT_EQ(changed_->latest().state, State::trial);
  loop_.advance(seconds{3});
  wait_for(State::confirmed);
  EXPECT_EQ(changed_->latest().running, kDebug);
  pass(std::chrono::minutes{2});
  EXPECT_EQ(begun_anew_, 0);
  begin();
  EXPECT_EQ(changed_->latest().state, State::confirmed);
  EXPECT_EQ(configuration_.log_level, LogLevel::debug);
}

TEST_F(WiredConfigurationTest, WithoutALinkItIsPutBackWithTheReason) {
  begin();
  arm();
  link_ = "the link is not up: no route";
  loop_.advance(seconds{61});
  ASSERT_TRUE(loop_.run_until([&] { return begun_anew_ == 1; }));
  begin();
  EXPECT_EQ(changed_->latest().state, State::put_back);
  EXPECT_EQ(changed_->latest().cause, "not confirmed within 60 s: the link is not up: no route");
  EXPECT_EQ(changed_->latest().running, "{}");
  EXPECT_EQ(configuration_.log_level, LogLevel::info);
}

TEST_F(WiredConfigurationTest, ASourceThatWorkedMustWorkAgain) {
  begin();
  arm();
  sources_ = {{"cpu", false}, {"load", true}, {"hwmon", false}};
  loop_.advance(seconds{61});
  ASSERT_TRUE(loop_.run_until([&] { return begun_anew_ == 1; }));
  begin();
  EXPECT_EQ(changed_->latest().cause, "not confirmed within 60 s: the source cpu does not work any more");
}

TEST_F(WiredConfigurationTest, ASourceThatIsSwitchedOffIsNotMissedButOneMustWork) {
  begin();
  arm();
  sources_ = {{"load", true}};
  loop_.advance(WiredConfiguration::kSteady + seconds{2});
  wait_for(State::confirmed);
  begin();
  arm(kWarn);
  sources_ = {{"hwmon", false}};
  loop_.advance(seconds{61});
  ASSERT_TRUE(loop_.run_until([&] { return begun_anew_ == 1; }));
  begin();
  EXPECT_EQ(changed_->latest().cause, "not confirmed within 60 s: no source works any more");
  EXPECT_EQ(changed_->latest().running, kDebug) << "what was confirmed before runs again";
}

TEST_F(WiredConfigurationTest, ALinkThatOnlyFlickersProvesNothing) {
  begin();
  arm();
  for (int i = 0; i < 70 && begun_anew_ == 0; ++i) {
    link_ = i % 5 == 0 ? "down" : "";
    loop_.advance(seconds{1});
    drain();
  }
  ASSERT_TRUE(loop_.run_until([&] { return begun_anew_ == 1; }));
}

TEST_F(WiredConfigurationTest, AKillDuringTheTrialPutsBack) {
  begin();
  arm();
  loop_.advance(seconds{3});
  begin();
  EXPECT_EQ(changed_->latest().state, State::put_back);
  EXPECT_EQ(configuration_.log_level, LogLevel::info);
  EXPECT_TRUE(changed_->latest().cause.starts_with("the agent ended before"));
}

TEST_F(WiredConfigurationTest, WhatIsWrongNeverRunsAndSaysWhy) {
  begin();
  const auto refused = changed_->apply("job 1", R"({"sampling":{"interval":"10"},"log":{"levle":"x"}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::OutOfRange);
  wait_for(State::refused);
  const std::string cause = changed_->latest().cause;
  EXPECT_NE(cause.find("configuration from the cloud:1: \"interval\" in [sampling]"), std::string::npos) << cause;
  EXPECT_NE(cause.find("did you mean \"level\"?"), std::string::npos) << cause;
  ASSERT_TRUE(loop_.run_until([&] { return changed_->apply("job 2", R"({"device":{"name":"x"}})").error().kind() == ErrorKind::Denied; }));
  EXPECT_EQ(begun_anew_, 0);
  states_.clear();
  wait_for(State::refused);
  begin();
  EXPECT_EQ(changed_->latest().state, State::refused);
  EXPECT_EQ(changed_->latest().id, "job 2");
}

TEST_F(WiredConfigurationTest, WhatRunsAlreadyIsConfirmedAtOnce) {
  begin();
  ASSERT_TRUE(changed_->apply("state 1", "{ }"));
  wait_for(State::confirmed);
  EXPECT_EQ(begun_anew_, 0);
}

TEST_F(WiredConfigurationTest, OneAtATime) {
  begin();
  ASSERT_TRUE(changed_->apply("job 1", kDebug));
  EXPECT_EQ(changed_->apply("job 2", kWarn).error().kind(), ErrorKind::Unavailable);
  wait_for(State::armed);
  EXPECT_EQ(changed_->apply("job 2", kWarn).error().kind(), ErrorKind::Unavailable);
  loop_.advance(WiredConfiguration::kBeginPause);
  begin();
  EXPECT_EQ(changed_->apply("job 2", kWarn).error().kind(), ErrorKind::Unavailable);
}

TEST_F(WiredConfigurationTest, AnAgentThatDoesNotBeginAnewSaysSo) {
  begin();
  ASSERT_TRUE(changed_->apply("job 1", kDebug));
  wait_for(State::armed);
  loop_.advance(WiredConfiguration::kBeginPause + WiredConfiguration::kBeginAgain);
  wait_for(State::put_back);
  EXPECT_TRUE(changed_->latest().cause.starts_with("not tried"));
}

TEST_F(WiredConfigurationTest, AJobThatRunsIsNotCutOff) {
  begin();
  job_runs_ = true;
  ASSERT_TRUE(changed_->apply("state r1@1", kDebug));
  wait_for(State::armed);
  loop_.advance(WiredConfiguration::kJobPatience - seconds{2});
  EXPECT_EQ(begun_anew_, 0);
  EXPECT_EQ(changed_->latest().state, State::armed);
  job_runs_ = false;
  loop_.advance(WiredConfiguration::kLookInterval);
  EXPECT_EQ(begun_anew_, 1);
  loop_.advance(seconds{5});
  EXPECT_EQ(begun_anew_, 1) << "once";
}

TEST_F(WiredConfigurationTest, AJobThatRunsForEverIsNotWaitedForForEver) {
  begin();
  job_runs_ = true;
  ASSERT_TRUE(changed_->apply("state r1@1", kDebug));
  wait_for(State::armed);
  loop_.advance(WiredConfiguration::kJobPatience + WiredConfiguration::kLookInterval);
  wait_for(State::put_back);
  EXPECT_EQ(changed_->latest().cause, "not tried: a job runs, and did not come to its end within an hour");
  EXPECT_EQ(begun_anew_, 0);
}

TEST_F(WiredConfigurationTest, FilesThatNoLongerGoWithItRunAloneUntilTheyDo) {
  begin();
  arm(R"({"rule":[{"name":"hot","series":"x","warn_above":1}]})");
  loop_.advance(WiredConfiguration::kSteady + seconds{2});
  wait_for(State::confirmed);
  file_ = "[[rule]]\nname = \"hot\"\nseries = \"y\"\nwarn_above = 2\n";
  begin();
  EXPECT_TRUE(ok_);
  EXPECT_EQ(configuration_.rules.size(), 1U);
  EXPECT_EQ(changed_->latest().running, "{}");
  EXPECT_EQ(changed_->latest().state, State::put_back);
  EXPECT_NE(changed_->latest().cause.find("two [[rule]] are called \"hot\""), std::string::npos);
  file_.clear();
  begin();
  EXPECT_EQ(changed_->latest().state, State::confirmed);
  EXPECT_EQ(configuration_.rules.size(), 1U);
}

TEST_F(WiredConfigurationTest, WhoIsNotLetInLocallyChangesNothing) {
  begin();
  arm();
  loop_.advance(WiredConfiguration::kSteady + seconds{2});
  wait_for(State::confirmed);
  allowed_ = false;
  begin();
  EXPECT_FALSE(changed_);
  EXPECT_EQ(configuration_.log_level, LogLevel::info);
}

TEST_F(WiredConfigurationTest, JobsAloneLetNobodyIn) {
  allowed_ = false;
  file_ = "[jobs]\n";
  begin();
  EXPECT_TRUE(configuration_.jobs.enabled);
  EXPECT_FALSE(changed_);
}

TEST_F(WiredConfigurationTest, ASecondAgentDoesNotPutTheTrialBack) {
  begin();
  arm();
  const auto second = load_start_configuration([this](const DropIn* overlay) { return load(overlay); });
  EXPECT_FALSE(second.changes);
  EXPECT_NE(read_file(directory_.path() + "/remote_configuration.json", 4096)->find(R"("state":"trial")"), std::string::npos);
}

TEST_F(WiredConfigurationTest, AJournalThatCannotBeWrittenRefusesAndTriesNothing) {
  begin();
  ASSERT_EQ(::mkdir((directory_.path() + "/remote_configuration.json.new").c_str(), 0700), 0);
  ASSERT_TRUE(changed_->apply("job 1", kDebug));
  wait_for(State::refused);
  EXPECT_TRUE(changed_->latest().cause.starts_with("it could not be written down"));
  loop_.advance(std::chrono::minutes{5});
  EXPECT_EQ(begun_anew_, 0);
}

TEST_F(WiredConfigurationTest, ATrialThatCannotBeWrittenAsConfirmedIsPutBack) {
  begin();
  arm();
  ASSERT_EQ(::mkdir((directory_.path() + "/remote_configuration.json.new").c_str(), 0700), 0);
  for (int i = 0; i < 200 && begun_anew_ == 0; ++i) {
    loop_.advance(seconds{1});
    static_cast<void>(loop_.run_until([&] { return !changed_->busy(); }));
  }
  EXPECT_EQ(begun_anew_, 1);
  EXPECT_EQ(changed_->latest().state, State::trial);
  ASSERT_EQ(::rmdir((directory_.path() + "/remote_configuration.json.new").c_str()), 0);
  begin();
  EXPECT_EQ(changed_->latest().state, State::put_back);
}

}  // namespace
}  // namespace fieldpost
