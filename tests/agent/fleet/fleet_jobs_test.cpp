// SPDX-License-Identifier: Apache-2.0
// The rollout as it happens: by seconds that the test counts, with a new start of the server at any of them.
#include "agent/fleet/fleet_jobs.hpp"

#include <set>

#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kNow = 1'793'500'000;

class FleetJobsTest : public FleetFixture {
 protected:
  FleetJob job(int devices) {
    FleetJob made;
    made.id = "job";
    made.document = R"({"do":1})";
    for (int i = 0; i < devices; ++i) made.devices.push_back("gw-" + std::to_string(i));
    return made;
  }

  /// As if the server had been killed and started.
  void restart() {
    open();
    devices_.emplace(*database_, say());
    jobs_.emplace(*database_, *devices_);
  }

  /// One second; devices that were told finish at once.
  void second(const char* (*outcome)(const std::string& device)) {
    ++now_;
    jobs_->tick(now_ * 1'000'000);
    commit();
    for (const Said& each : std::exchange(said_, {})) {
      if (each.place != "jobs/notify-next" || !each.payload.at("execution")) continue;
      told_.insert(each.device);
      if (outcome == nullptr) continue;
      devices_->receive(each.device, "job/update", std::string{R"({"status":")"} + outcome(each.device) + "\"}", now_);
    }
    commit();
    said_.clear();
  }

  std::string state() {
    JsonWriter json;
    json.begin_object();
    jobs_->write(json, "job");
    json.end_object();
    return text(*Json::parse(std::move(json).take()), "state");
  }

  std::int64_t now_ = kNow;
  std::set<std::string> told_;
  std::optional<DeviceJobs> devices_{std::in_place, *database_, say()};
  std::optional<FleetJobs> jobs_{std::in_place, *database_, *devices_};
};

const char* succeed(const std::string&) { return "SUCCEEDED"; }
const char* fail(const std::string&) { return "FAILED"; }
const char* every_tenth_fails(const std::string& device) { return device.ends_with("7") ? "FAILED" : "SUCCEEDED"; }

TEST_F(FleetJobsTest, ReachesEveryDeviceOnceAndIsThenCompleted) {
  FleetJob wanted = job(50);
  wanted.rollout.per_minute = 600;
  ASSERT_TRUE(jobs_->create(wanted, now_));
  commit();
  for (int i = 0; i < 10 && state() == "IN_PROGRESS"; ++i) second(&succeed);
  EXPECT_EQ(state(), "COMPLETED");
  EXPECT_EQ(told_.size(), 50U);
  EXPECT_EQ(jobs_->counts("job").succeeded, 50);
}

TEST_F(FleetJobsTest, ARestartAtEverySecondLosesNothingAndCountsNothingTwice) {
  FleetJob wanted = job(50);
  wanted.rollout.per_minute = 300;
  ASSERT_TRUE(jobs_->create(wanted, now_));
  commit();
  for (int i = 0; i < 30 && state() == "IN_PROGRESS"; ++i) {
    second(&every_tenth_fails);
    const RolloutCounts before = jobs_->counts("job");
    EXPECT_LE(before.told(), 5 * (i + 1) + 5);
    restart();
    EXPECT_EQ(jobs_->counts("job").finished(), before.finished());
    EXPECT_EQ(jobs_->counts("job").all(), 50);
  }
  EXPECT_EQ(state(), "COMPLETED");
  EXPECT_EQ(jobs_->counts("job").succeeded, 45);
  EXPECT_EQ(jobs_->counts("job").failed, 5);
}

TEST_F(FleetJobsTest, StopsAtTheThresholdAndCancelsWhatNobodyHasBegun) {
  FleetJob wanted = job(200);
  wanted.rollout = {.per_minute = 600, .abort_hundredths = 500, .abort_min = 20};
  ASSERT_TRUE(jobs_->create(wanted, now_));
  commit();
  for (int i = 0; i < 60 && state() == "IN_PROGRESS"; ++i) second(&every_tenth_fails);
  EXPECT_EQ(state(), "STOPPED");
  const RolloutCounts counts = jobs_->counts("job");
  EXPECT_GE(counts.finished(), 20);
  EXPECT_LT(counts.finished(), 100);
  EXPECT_GE(counts.bad() * 20, counts.finished());
  EXPECT_EQ(counts.finished() + counts.canceled, 200);
  const std::size_t told = told_.size();
  for (int i = 0; i < 10; ++i) second(&succeed);
  EXPECT_EQ(told_.size(), told) << "nobody hears of it any more";
}

TEST_F(FleetJobsTest, WhenItIsStoppedThoseInProgressGoOnUnlessToldOtherwise) {
  for (const bool running : {false, true}) {
    SCOPED_TRACE(running);
    FleetJob wanted = job(3);
    wanted.id = running ? "job2" : "job";
    wanted.abort_running = running;
    wanted.rollout = {.per_minute = 1000, .abort_hundredths = 10'000, .abort_min = 1};
    ASSERT_TRUE(jobs_->create(wanted, now_));
    for (int i = 0; i < 2; ++i) second(nullptr);
    devices_->receive("gw-0", wanted.id + "/update", R"({"status":"IN_PROGRESS"})", now_);
    devices_->receive("gw-1", wanted.id + "/update", R"({"status":"FAILED"})", now_);
    second(nullptr);
    const RolloutCounts counts = jobs_->counts(wanted.id);
    EXPECT_EQ(counts.in_progress, running ? 0 : 1);
    EXPECT_EQ(counts.canceled, running ? 2 : 1);
    devices_->receive("gw-0", wanted.id + "/update", R"({"status":"SUCCEEDED"})", now_);
    EXPECT_EQ(jobs_->counts(wanted.id).succeeded, running ? 0 : 1);
  }
}

TEST_F(FleetJobsTest, ADeviceThatIsAwayHoldsNobodyUp) {
  ASSERT_TRUE(jobs_->create(job(10), now_));
  for (int i = 0; i < 5; ++i) second([](const std::string& device) { return device == "gw-3" ? "QUEUED" : "SUCCEEDED"; });
  EXPECT_EQ(state(), "IN_PROGRESS");
  EXPECT_EQ(jobs_->counts("job").queued, 1);
  EXPECT_EQ(jobs_->counts("job").succeeded, 9);
  devices_->receive("gw-3", "start-next", "{}", now_ + 1000);
  devices_->receive("gw-3", "job/update", R"({"status":"SUCCEEDED"})", now_ + 1000);
  second(&succeed);
  EXPECT_EQ(state(), "COMPLETED");
}

TEST_F(FleetJobsTest, WhereNothingHasMovedNothingIsCounted) {
  now_ -= now_ % 60;
  ASSERT_TRUE(jobs_->create(job(2), now_));
  for (int i = 0; i < 5; ++i) second(nullptr);
  database_->run("UPDATE execution SET status = 'SUCCEEDED'");  // past the server: it cannot know
  for (int i = 0; i < 20; ++i) second(nullptr);
  EXPECT_EQ(state(), "IN_PROGRESS");
  for (int i = 0; i < 60; ++i) second(nullptr);
  EXPECT_EQ(state(), "COMPLETED") << "and once a minute all are";
}

TEST_F(FleetJobsTest, CancelStopsWhatNobodyHasBegunAndLaterTheRest) {
  ASSERT_TRUE(jobs_->create(job(10), now_));
  for (int i = 0; i < 2; ++i) second(nullptr);
  devices_->receive("gw-3", "job/update", R"({"status":"IN_PROGRESS"})", now_);
  EXPECT_EQ(jobs_->cancel("none", false, now_).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(jobs_->cancel("job", false, now_).value() + jobs_->counts("job").in_progress, 10);
  EXPECT_EQ(state(), "CANCELED");
  EXPECT_EQ(jobs_->cancel("job", false, now_).error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(jobs_->counts("job").in_progress, 1);
  EXPECT_EQ(jobs_->cancel("job", true, now_).value(), 1);
  EXPECT_EQ(jobs_->counts("job").canceled, 10);
}

TEST_F(FleetJobsTest, ATimeoutCountsAsAFailureOfTheRollout) {
  FleetJob wanted = job(5);
  wanted.timeout_minutes = 1;
  wanted.rollout = {.per_minute = 1000, .abort_hundredths = 10'000, .abort_min = 5};
  ASSERT_TRUE(jobs_->create(wanted, now_));
  second(nullptr);
  second(nullptr);
  for (const std::string& device : wanted.devices) devices_->receive(device, "start-next", "{}", now_);
  now_ += 60;
  second(nullptr);
  EXPECT_EQ(jobs_->counts("job").timed_out, 5);
  EXPECT_EQ(state(), "STOPPED");
}

TEST_F(FleetJobsTest, TheFirstToHearAreNotNeighbours) {
  FleetJob wanted = job(100);
  wanted.rollout.per_minute = 60;
  ASSERT_TRUE(jobs_->create(wanted, now_));
  for (int i = 0; i < 5; ++i) second(&fail);
  EXPECT_EQ(told_.size(), 5U);
  EXPECT_NE(told_, (std::set<std::string>{"gw-0", "gw-1", "gw-10", "gw-11", "gw-12"}));
}

TEST_F(FleetJobsTest, WhatIsNoJobIsRefused) {
  const auto refused = [this](const std::function<void(FleetJob&)>& change) {
    FleetJob wanted = job(1);
    change(wanted);
    const auto made = jobs_->create(wanted, now_);
    return made ? std::string{} : made.error().sentence();
  };
  EXPECT_NE(refused([](FleetJob& each) { each.id = "a b"; }).find("name"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.id = std::string(65, 'a'); }).find("name"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.document = "{"; }).find("the job document"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.document = "[]"; }).find("not a JSON object"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.document = "{\"a\":\"" + std::string(32 << 10, 'x') + "\"}"; }).find("32 KiB"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.rollout.per_minute = 0; }).find("--rate"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.rollout.per_minute = 1001; }).find("--rate"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.rollout.increment_percent = 501; }).find("--increment"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.rollout.abort_hundredths = 10'001; }).find("--abort-threshold"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.timeout_minutes = 10'081; }).find("--timeout"), std::string::npos);
  EXPECT_NE(refused([](FleetJob& each) { each.devices.clear(); }).find("at least one"), std::string::npos);
  EXPECT_EQ(refused([](FleetJob&) {}), "");
  EXPECT_NE(refused([](FleetJob&) {}).find("already"), std::string::npos);
}

TEST_F(FleetJobsTest, HistoryGoesAfterItsTime) {
  ASSERT_TRUE(jobs_->create(job(2), now_));
  for (int i = 0; i < 3; ++i) second(&succeed);
  EXPECT_EQ(state(), "COMPLETED");
  now_ += FleetJobs::kKeptSeconds - 10;
  second(&succeed);
  EXPECT_EQ(state(), "COMPLETED");
  now_ += 4000;
  second(&succeed);
  EXPECT_EQ(state(), "absent");
  EXPECT_EQ(jobs_->counts("job").all(), 0);
}

}  // namespace
}  // namespace fieldpost
