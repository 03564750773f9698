// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_engine.hpp"

#include <gtest/gtest.h>

#include "tests/agent/jobs/job_world.hpp"

namespace fieldpost {
namespace {

using State = JobEngine::State;
using Words = std::vector<std::string>;

const std::string kQuick = R"({"operation":"work","what":"quick"})";
const std::string kSlow = R"({"operation":"work","what":"slow"})";

struct JobEngineTest : testing::Test {
  JobEngineTest() { WorldOperation::stops_at_once = true; }
  std::string reason(const std::string& job) { return world.cloud.job(job).details.front().second; }
  JobStatus status(const std::string& job) { return world.cloud.job(job).execution.status; }
  World world;
};

TEST_F(JobEngineTest, DoesAJobAndTellsIt) {
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  EXPECT_EQ(world.runs["one"], 1);
  EXPECT_EQ(world.cloud.job("one").heard, (Words{"IN_PROGRESS", "SUCCEEDED"}));
  EXPECT_EQ(reason("one"), "done");
  EXPECT_EQ(world.state(), State::idle);
  EXPECT_EQ(world.engine->record().past.size(), 1U);
  EXPECT_EQ(world.engine->status().ended[static_cast<std::size_t>(JobStatus::succeeded)], 1U);
}

TEST_F(JobEngineTest, DoesJobsOneByOneInTheCloudsOrder) {
  for (const char* name : {"one", "two", "three"}) world.cloud.add(name, kQuick);
  world.boot();
  world.go();
  for (const char* name : {"one", "two", "three"}) EXPECT_EQ(world.runs[name], 1);
  Words order;
  for (const auto& past : world.engine->record().past) order.push_back(past.job);
  EXPECT_EQ(order, (Words{"one", "two", "three"}));
}

TEST_F(JobEngineTest, EveryReportBearsVersionAndNumber) {
  world.boot();
  world.cloud.add("one", kQuick, 7);
  world.go();
  ASSERT_EQ(world.cloud.reports.size(), 2U);
  EXPECT_EQ(world.cloud.reports[0].version, 1);
  EXPECT_EQ(world.cloud.reports[1].version, 2);
  for (const auto& report : world.cloud.reports) EXPECT_EQ(report.number, 7);
  EXPECT_EQ(world.cloud.reports[0].step_minutes, 10);
  EXPECT_EQ(world.cloud.reports[1].step_minutes, 0);
}

TEST_F(JobEngineTest, WritesBeforeItSpeaksOrActs) {
  world.boot();
  world.storage.broken = true;
  world.cloud.add("one", kQuick);
  world.go();
  EXPECT_TRUE(world.cloud.reports.empty());
  EXPECT_EQ(world.runs["one"], 0);
  EXPECT_EQ(world.engine->status().last_error, "the disk is full");
  world.storage.broken = false;
  world.go(seconds{90});
  EXPECT_EQ(world.runs["one"], 1);
  EXPECT_EQ(status("one"), JobStatus::succeeded);
  EXPECT_EQ(world.engine->status().last_error, "");
}

TEST_F(JobEngineTest, ADiskThatFailsInAJobFailsItAndIsTold) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go(milliseconds{200});
  ASSERT_EQ(world.state(), State::working);
  world.storage.broken = true;
  WorldOperation::latest->work().save(2, {}, [] { FAIL() << "it was not saved"; });
  world.go();
  EXPECT_EQ(status("one"), JobStatus::failed);
  EXPECT_EQ(reason("one"), "this device cannot record what it does: the disk is full");
}

TEST_F(JobEngineTest, RejectsWhatItCannotDo) {
  world.boot();
  const std::pair<const char*, const char*> kDocuments[] = {
      {"no", R"({"operation":"work","what":"fly"})"},
      {"list", "[]"},
      {"broken", "{"},
      {"waves", R"({"what":"quick","waves":{"count":0,"interval_seconds":1}})"},
      {"many", R"({"what":"quick","waves":{"count":1001,"interval_seconds":1}})"},
      {"years", R"({"what":"quick","waves":{"count":1000,"interval_seconds":604800}})"},
      {"unknown", R"({"operation":"ota.install"})"},
  };
  for (const auto& [name, document] : kDocuments) world.cloud.add(name, document);
  world.go(std::chrono::minutes{2});
  for (const auto& [name, document] : kDocuments) {
    EXPECT_EQ(world.cloud.job(name).heard, Words{"REJECTED"}) << name;
    EXPECT_FALSE(reason(name).empty());
  }
  EXPECT_EQ(reason("no"), "nobody knows how to fly");
}

TEST_F(JobEngineTest, AJobHandedOutAgainIsToldAgainAndNotRunAgain) {
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  world.boot(true);
  world.cloud.job("one").execution.status = JobStatus::queued;
  world.cloud.notify();
  world.go();
  EXPECT_EQ(world.runs["one"], 1);
  EXPECT_EQ(status("one"), JobStatus::succeeded);
  EXPECT_EQ(reason("one"), "done");
  EXPECT_EQ(world.engine->record().past.size(), 1U);
}

TEST_F(JobEngineTest, TheCloudsOwnRetryIsANewRun) {
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  world.cloud.add("one", kQuick, 2);
  world.go();
  EXPECT_EQ(world.runs["one"], 2);
}

TEST_F(JobEngineTest, WhatWasBegunWithoutARecordIsNotBegunAgain) {
  world.cloud.add("one", kQuick);
  world.cloud.job("one").execution.status = JobStatus::in_progress;
  world.storage.text = "fieldpost-jobs 1 00000000\n{}";
  world.boot();
  world.go();
  EXPECT_EQ(world.runs["one"], 0);
  EXPECT_EQ(status("one"), JobStatus::failed);
  EXPECT_TRUE(world.log.contains("cannot be read"));
}

TEST_F(JobEngineTest, TheEndIsToldAfterAnyNumberOfReboots) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.cloud.reachable = false;
  WorldOperation::latest->work().finish(outcome(JobStatus::failed, "broke"));
  world.go();
  EXPECT_EQ(world.state(), State::reporting);
  for (int i = 0; i < 5; ++i) {
    world.boot(true);
    world.go();
    EXPECT_EQ(world.state(), State::reporting);
    EXPECT_EQ(world.cloud.reports.back().status, JobStatus::failed);
  }
  world.cloud.reachable = true;
  world.boot(true);
  world.go();
  EXPECT_EQ(status("one"), JobStatus::failed);
  EXPECT_EQ(reason("one"), "broke");
  EXPECT_EQ(world.state(), State::idle);
}

TEST_F(JobEngineTest, ACancelledJobIsStopped) {
  for (const JobStatus fate : {JobStatus::canceled, JobStatus::removed, JobStatus::timed_out}) {
    World other;
    other.boot();
    other.cloud.add("one", kSlow);
    other.go();
    ASSERT_EQ(other.state(), State::working);
    other.cloud.take_back("one", fate);
    other.go();
    EXPECT_EQ(other.stops, 1);
    EXPECT_EQ(other.state(), State::idle);
    EXPECT_EQ(other.cloud.job("one").execution.status, fate);
    EXPECT_EQ(other.cloud.job("one").heard, Words{"IN_PROGRESS"});
  }
  world_now = &world;
}

TEST_F(JobEngineTest, AStopWaitsForTheSafePoint) {
  WorldOperation::stops_at_once = false;
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.cloud.take_back("one", JobStatus::canceled);
  world.cloud.add("two", kQuick);
  world.go();
  EXPECT_EQ(world.state(), State::revoked);
  EXPECT_EQ(world.runs["two"], 0);
  WorldOperation::latest->work().finish({});
  world.go();
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobEngineTest, ACancelThatTheNextReportLearnsOfStopsItToo) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.cloud.job("one").execution.status = JobStatus::canceled;  // no notice
  world.go(std::chrono::minutes{5});
  EXPECT_EQ(world.stops, 1);
  EXPECT_EQ(world.state(), State::idle);
}

TEST_F(JobEngineTest, FeedsTheStepTimer) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  const std::size_t before = world.cloud.reports.size();
  world.go(std::chrono::minutes{60});
  EXPECT_EQ(world.cloud.reports.size() - before, 18U);
  for (const auto& report : world.cloud.reports) EXPECT_EQ(report.step_minutes, 10);
}

TEST_F(JobEngineTest, ShowsProgressButNotEverySecond) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  const std::size_t before = world.cloud.reports.size();
  for (int i = 1; i <= 30; ++i) {
    WorldOperation::latest->work().say({{"percent", std::to_string(i)}});
    world.go(seconds{1});
  }
  EXPECT_LE(world.cloud.reports.size() - before, 4U);
  world.go(seconds{10});
  EXPECT_EQ(world.cloud.job("one").details.front().second, "30");
}

TEST_F(JobEngineTest, AReportThatIsRefusedForGoodIsNotRepeatedAllDay) {
  world.cloud.refuses = true;
  world.boot();
  world.cloud.add("one", kQuick);
  world.go(std::chrono::minutes{59});
  EXPECT_EQ(world.cloud.reports.size(), 1U);
  EXPECT_EQ(world.runs["one"], 0);
  world.cloud.refuses = false;
  world.go(std::chrono::minutes{2});
  EXPECT_EQ(status("one"), JobStatus::failed);  // it was given up; never run
  EXPECT_EQ(world.runs["one"], 0);
}

TEST_F(JobEngineTest, ANoticeWhileNothingIsInHandOnlyAsks) {
  world.boot();
  world.go();
  const int before = world.cloud.looks;
  for (int i = 0; i < 100; ++i) world.cloud.notify();
  world.go();
  EXPECT_EQ(world.cloud.looks, before + 1);
}

TEST_F(JobEngineTest, AnAnswerToTheJobBeforeIsNotTakenForThisOnes) {
  world.options.window = *maintenance_window("02:00-03:00", {}, false);
  world.boot();
  world.cloud.add("before", R"({"operation":"look","what":"slow"})");
  world.go();
  world.cloud.throttles = true;
  world.go(std::chrono::minutes{5});  // its step timer is fed, and the cloud has no time for that
  world.cloud.take_back("before", JobStatus::canceled);
  world.cloud.add("this", kQuick);
  world.go();
  ASSERT_EQ(world.state(), State::waiting);
  world.cloud.throttles = false;
  world.go();
  EXPECT_EQ(world.state(), State::waiting);
  EXPECT_EQ(world.engine->record().execution.version, 1);
  world.go(std::chrono::hours{3});
  EXPECT_EQ(world.runs["this"], 1);
  EXPECT_EQ(world.cloud.job("this").heard, (Words{"IN_PROGRESS", "SUCCEEDED"}));
}

TEST_F(JobEngineTest, ANameUsedAgainIsAnotherJob) {
  world.boot();
  world.cloud.add("one", kQuick);
  world.go();
  world.boot(true);
  world.cloud.add("one", kQuick);
  world.go();
  EXPECT_EQ(world.runs["one"], 2);
  EXPECT_EQ(status("one"), JobStatus::succeeded);
  // Who does not say when it was queued may mean the same.
  world.cloud.add("one", kQuick);
  world.cloud.job("one").execution.queued_at = {};
  world.go();
  EXPECT_EQ(world.runs["one"], 2);
}

TEST_F(JobEngineTest, ARefusedWordInBetweenDoesNotDelayTheNextJob) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.cloud.refuses = true;
  world.go(std::chrono::minutes{5});
  world.cloud.refuses = false;
  world.cloud.jobs.push_back(world.cloud.job("one"));
  world.cloud.jobs.back().execution.job = "two";
  world.cloud.jobs.back().execution.status = JobStatus::queued;
  world.cloud.jobs.back().execution.document = kQuick;
  WorldOperation::latest->work().finish(outcome(JobStatus::succeeded, "done"));
  world.go();
  EXPECT_EQ(status("one"), JobStatus::succeeded);
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobEngineTest, AWriteThatFailedInBetweenDoesNotDelayTheNextJob) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.storage.broken = true;
  WorldOperation::latest->work().finish(outcome(JobStatus::succeeded, "done"));
  world.storage.broken = false;
  world.cloud.jobs.push_back({{"two", 1, 1, JobStatus::queued, world.clock.utc().time, kQuick}});
  world.go();
  EXPECT_EQ(status("one"), JobStatus::succeeded);
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobEngineTest, ANoticeWhileAJobIsReportedIsNotForgotten) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.cloud.throttles = true;
  WorldOperation::latest->work().finish(outcome(JobStatus::succeeded, "done"));
  world.go();
  ASSERT_EQ(world.state(), State::reporting);
  world.cloud.add("two", kQuick);
  world.cloud.throttles = false;
  world.cloud.refuses = true;
  world.go(seconds{15});
  ASSERT_EQ(world.engine->record().past.size(), 1U);
  world.cloud.refuses = false;
  world.go();
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobEngineTest, OnlyTheFirstEndCounts) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  JobWork& work = WorldOperation::latest->work();
  work.finish(outcome(JobStatus::succeeded, "done"));
  work.finish(outcome(JobStatus::failed, "done again"));
  world.go();
  EXPECT_EQ(reason("one"), "done");
  EXPECT_EQ(world.cloud.job("one").heard, (Words{"IN_PROGRESS", "SUCCEEDED"}));
}

TEST_F(JobEngineTest, TheRecordStaysReadableWhateverADocumentSays) {
  std::string words = "x";
  for (int i = 0; i < 30'000; ++i) words += "\xc3\xa4";
  world.boot();
  for (int i = 0; i < 10; ++i) world.cloud.add("job-" + std::to_string(i), R"({"what":")" + words + R"("})");
  world.go(std::chrono::minutes{2});
  EXPECT_LT(world.storage.text.size(), 16U << 10U);
  EXPECT_EQ(reason("job-0").size(), JobChannel::kDetailBytesMax - (std::string_view{"nobody knows how to x"}.size() % 2));
  EXPECT_TRUE(reason("job-0").ends_with("\xc3\xa4"));
}

TEST_F(JobEngineTest, LooksByItselfWhenANoticeWasLost) {
  world.boot();
  world.go();
  const auto notice = world.cloud.looks;
  world.cloud.jobs.push_back({{"one", 1, 1, JobStatus::queued, world.clock.utc().time, kQuick}});
  world.go(std::chrono::minutes{59});
  EXPECT_EQ(world.cloud.looks, notice);
  world.go(std::chrono::minutes{61});
  EXPECT_EQ(world.runs["one"], 1);
  // And a question that nobody answers is not the last.
  world.cloud.reachable = false;
  world.go(std::chrono::hours{2});
  world.cloud.reachable = true;
  world.cloud.jobs.push_back({{"two", 1, 1, JobStatus::queued, world.clock.utc().time, kQuick}});
  world.go(std::chrono::hours{2});
  EXPECT_EQ(world.runs["two"], 1);
}

TEST_F(JobEngineTest, SpendsOnlyWhatTheDayAllows) {
  world.options.bytes_per_day_max = 100;
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  JobWork& work = WorldOperation::latest->work();
  EXPECT_TRUE(work.spend(60));
  EXPECT_FALSE(work.spend(41));
  EXPECT_TRUE(work.spend(40));
  EXPECT_FALSE(work.spend(1));
  world.go(std::chrono::hours{24});
  EXPECT_TRUE(work.spend(100));
}

TEST_F(JobEngineTest, AStopOfTheAgentLeavesTheJobInHand) {
  world.boot();
  world.cloud.add("one", kSlow);
  world.go();
  world.engine->stop();
  world.go();
  EXPECT_EQ(status("one"), JobStatus::in_progress);
  world.boot();
  world.go();
  EXPECT_EQ(status("one"), JobStatus::failed);
  EXPECT_EQ(reason("one"), "cut off");
}

TEST_F(JobEngineTest, KeepsTheLastOutcomesOnly) {
  world.boot();
  for (int i = 0; i < 12; ++i) world.cloud.add("job-" + std::to_string(i), kQuick);
  world.go(std::chrono::minutes{2});
  ASSERT_EQ(world.engine->record().past.size(), JobRecord::kPastMax);
  EXPECT_EQ(world.engine->record().past.back().job, "job-11");
}

}  // namespace
}  // namespace fieldpost
