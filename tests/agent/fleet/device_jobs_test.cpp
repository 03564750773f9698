// SPDX-License-Identifier: Apache-2.0
// The conversation as AWS's pages have it: who may ask what, what is answered, and what is refused with which code.
#include "agent/fleet/device_jobs.hpp"

#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kNow = 1'793'500'000;

class DeviceJobsTest : public FleetFixture {
 protected:
  /// A job that this device has, in the given state.
  void give(const std::string& job, const std::string& status = "QUEUED", std::int64_t queued = kNow, std::int64_t timeout_minutes = 0) {
    database_->run(
        "INSERT INTO job(id, document, state, created, per_minute, per_minute_max, increment_percent, increment_after, by_success,"
        " abort_hundredths, abort_min, abort_running, timeout_minutes) VALUES(?, '{\"do\":1}', 'IN_PROGRESS', ?, 1, 1, 100, 0, 1, 0, 1, 0, ?)",
        {job, queued, timeout_minutes});
    database_->run("INSERT INTO execution(device, job, place, status, queued, updated) VALUES('gw-1', ?, 0, ?, ?, ?)", {job, status, queued, queued});
    commit();
  }

  Json ask(const std::string& place, const std::string& payload, const std::string& answer_place, std::int64_t now = kNow) {
    said_.clear();
    jobs_.receive("gw-1", place, payload, now);
    commit();
    return answer("jobs/" + place + "/" + answer_place);
  }
  Json accepted(const std::string& place, const std::string& payload, std::int64_t now = kNow) { return ask(place, payload, "accepted", now); }
  std::string refused(const std::string& place, const std::string& payload) { return text(ask(place, payload, "rejected"), "code"); }
  std::string status(const std::string& job) {
    auto rows = database_->ask("SELECT status FROM execution WHERE job = ?", {job});
    return rows.next() ? rows.text(0) : "none";
  }

  DeviceJobs jobs_{*database_, say()};
};

TEST_F(DeviceJobsTest, StartNextTakesTheOldestAndHandsBackWhatIsInProgress) {
  give("young", "QUEUED", kNow + 5);
  give("old", "QUEUED", kNow);
  give("unknown", "WAITING", kNow - 5);
  const Json first = *accepted("start-next", R"({"clientToken":"t"})").at("execution");
  EXPECT_EQ(text(first, "jobId"), "old");
  EXPECT_EQ(text(first, "status"), "IN_PROGRESS");
  EXPECT_EQ(text(first, "versionNumber"), "2");
  EXPECT_EQ(text(first, "executionNumber"), "1");
  EXPECT_EQ(text(first, "startedAt"), std::to_string(kNow));
  EXPECT_EQ(text(first, "jobDocument"), R"({"do":1})");
  EXPECT_EQ(text(answer("jobs/start-next/accepted"), "clientToken"), "t");
  EXPECT_EQ(text(answer("jobs/start-next/accepted"), "timestamp"), std::to_string(kNow));

  const Json again = *accepted("start-next", R"({"statusDetails":{"a":"b"}})", kNow + 60).at("execution");
  EXPECT_EQ(text(again, "jobId"), "old");
  EXPECT_EQ(text(again, "versionNumber"), "2") << "handed back as it is";
  EXPECT_EQ(text(again, "statusDetails"), "absent");
}

TEST_F(DeviceJobsTest, AnEmptyListHasNoExecution) {
  EXPECT_FALSE(accepted("start-next", "").at("execution"));
  EXPECT_FALSE(accepted("$next/get", "{}").at("execution"));
  EXPECT_EQ(accepted("get", "{}").at("queuedJobs")->elements().size(), 0U);
}

TEST_F(DeviceJobsTest, ListsWhatIsPending) {
  give("a");
  give("b");
  give("c", "SUCCEEDED");
  accepted("start-next", "{}");
  const Json list = accepted("get", "{}");
  ASSERT_EQ(list.at("inProgressJobs")->elements().size(), 1U);
  ASSERT_EQ(list.at("queuedJobs")->elements().size(), 1U);
  EXPECT_EQ(text(list.at("inProgressJobs")->elements()[0], "jobId"), "a");
  EXPECT_EQ(text(list.at("queuedJobs")->elements()[0], "jobId"), "b");
}

TEST_F(DeviceJobsTest, ADevicesWholeWayIsCountedByVersions) {
  give("a");
  accepted("start-next", "{}");
  const Json step = accepted("a/update", R"({"status":"IN_PROGRESS","expectedVersion":2,"statusDetails":{"step":"1"},"includeJobExecutionState":true,"includeJobDocument":true})");
  EXPECT_EQ(text(*step.at("executionState"), "versionNumber"), "3");
  EXPECT_EQ(text(*step.at("executionState"), "statusDetails"), R"({"step":"1"})");
  EXPECT_EQ(text(step, "jobDocument"), R"({"do":1})");
  EXPECT_EQ(count("jobs/notify-next"), 0U);
  const Json end = accepted("a/update", R"({"status":"SUCCEEDED","expectedVersion":"3","executionNumber":1})");
  EXPECT_EQ(text(end, "executionState"), "absent");
  EXPECT_EQ(status("a"), "SUCCEEDED");
  ASSERT_EQ(count("jobs/notify-next"), 1U);
  EXPECT_FALSE(answer("jobs/notify-next").at("execution")) << "nothing is left";
  EXPECT_EQ(count("jobs/notify"), 1U);
}

TEST_F(DeviceJobsTest, TheNextJobIsToldWhenOneEnds) {
  give("a");
  give("b", "QUEUED", kNow + 1);
  accepted("start-next", "{}");
  accepted("a/update", R"({"status":"REJECTED"})");
  EXPECT_EQ(text(*answer("jobs/notify-next").at("execution"), "jobId"), "b");
  EXPECT_EQ(text(*answer("jobs/notify-next").at("execution"), "status"), "QUEUED");
  EXPECT_EQ(text(*answer("jobs/notify-next").at("execution"), "jobDocument"), "absent") << "twenty thousand may be told at once";
}

TEST_F(DeviceJobsTest, AnUpdateMayBeginAJobThatIsNotTheFirst) {
  give("a");
  give("b", "QUEUED", kNow + 1);
  accepted("b/update", R"({"status":"IN_PROGRESS","expectedVersion":1})");
  EXPECT_EQ(text(*answer("jobs/notify-next").at("execution"), "jobId"), "b");
}

TEST_F(DeviceJobsTest, AWrongVersionIsRefusedWithTheRightOne) {
  give("a");
  const Json refusal = ask("a/update", R"({"status":"IN_PROGRESS","expectedVersion":2})", "rejected");
  EXPECT_EQ(text(refusal, "code"), "VersionMismatch");
  EXPECT_EQ(text(*refusal.at("executionState"), "versionNumber"), "1");
  EXPECT_EQ(text(*refusal.at("executionState"), "status"), "QUEUED");
  EXPECT_EQ(status("a"), "QUEUED");
}

TEST_F(DeviceJobsTest, EveryWrongTransitionIsRefusedWithTheState) {
  for (const char* from : {"SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED"}) {
    give(from, from);
    for (const char* to : {"QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED"}) {
      const Json refusal = ask(std::string{from} + "/update", std::string{R"({"status":")"} + to + R"(","expectedVersion":9})", "rejected");
      EXPECT_EQ(text(refusal, "code"), "InvalidStateTransition") << from << " to " << to;
      EXPECT_EQ(text(*refusal.at("executionState"), "status"), from);
    }
    EXPECT_EQ(refused(std::string{from} + "/get", "{}"), "TerminalStateReached");
  }
  give("a");
  for (const char* to : {"QUEUED", "TIMED_OUT", "CANCELED", "WAITING"}) {
    EXPECT_EQ(refused("a/update", std::string{R"({"status":")"} + to + "\"}"), "InvalidStateTransition") << to;
  }
}

TEST_F(DeviceJobsTest, WhatIsNoRequestIsRefusedWithItsCode) {
  give("a");
  give("hidden", "WAITING");
  EXPECT_EQ(refused("start-next", "{"), "InvalidJson");
  EXPECT_EQ(refused("start-next", "[]"), "InvalidJson");
  EXPECT_EQ(refused("a/update", "{}"), "InvalidRequest");
  EXPECT_EQ(refused("a/update", R"({"status":"DONE"})"), "InvalidRequest");
  EXPECT_EQ(refused("a/update", R"({"status":"FAILED","expectedVersion":"x"})"), "InvalidRequest");
  EXPECT_EQ(refused("a/update", R"({"status":"FAILED","stepTimeoutInMinutes":0})"), "InvalidRequest");
  EXPECT_EQ(refused("a/update", R"({"status":"FAILED","stepTimeoutInMinutes":10081})"), "InvalidRequest");
  EXPECT_EQ(refused("start-next", R"({"stepTimeoutInMinutes":-1})"), "InvalidRequest");
  EXPECT_EQ(refused("a/update", R"({"status":"FAILED","executionNumber":2})"), "ResourceNotFound");
  EXPECT_EQ(refused("a/get", R"({"executionNumber":2})"), "ResourceNotFound");
  EXPECT_EQ(refused("b/update", R"({"status":"FAILED"})"), "ResourceNotFound");
  EXPECT_EQ(refused("hidden/update", R"({"status":"FAILED"})"), "ResourceNotFound");
  EXPECT_EQ(refused("hidden/get", "{}"), "ResourceNotFound");
  EXPECT_EQ(refused("nonsense", "{}"), "InvalidTopic");
  EXPECT_EQ(refused("get", R"({"clientToken":")" + std::string(65, 't') + "\"}"), "InvalidRequest");
  EXPECT_EQ(refused("get", std::string(DeviceJobs::kRequestBytesMax + 1, ' ')), "InvalidRequest");
  EXPECT_EQ(status("a"), "QUEUED");
}

TEST_F(DeviceJobsTest, StatusDetailsHaveTheirBounds) {
  give("a");
  const auto with = [](const std::string& details) { return R"({"status":"IN_PROGRESS","statusDetails":)" + details + "}"; };
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += (i == 0 ? "" : ",") + ("\"k" + std::to_string(i) + "\":\"v\"");
  EXPECT_EQ(text(accepted("a/update", with("{" + ten + "}")), "timestamp"), std::to_string(kNow));
  EXPECT_EQ(refused("a/update", with("{" + ten + ",\"k\":\"v\"}")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with(R"({"a b":"v"})")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with(R"({"k":1})")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with(R"({"k":""})")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with(R"({"k":"a\nb"})")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with("[]")), "InvalidRequest");
  EXPECT_EQ(text(accepted("a/update", with("{\"k\":\"" + std::string(1024, 'v') + "\"}")), "timestamp"), std::to_string(kNow));
  EXPECT_EQ(refused("a/update", with("{\"k\":\"" + std::string(1025, 'v') + "\"}")), "InvalidRequest");
  EXPECT_EQ(refused("a/update", with("{\"" + std::string(129, 'k') + "\":\"v\"}")), "InvalidRequest");
  accepted("a/update", R"({"status":"SUCCEEDED"})");
  auto rows = database_->ask("SELECT details FROM execution WHERE job = 'a'");
  ASSERT_TRUE(rows.next());
  EXPECT_NE(rows.text(0).find("vvv"), std::string::npos) << "left out means unchanged";
}

TEST_F(DeviceJobsTest, DescribesWithOrWithoutTheDocument) {
  give("a");
  EXPECT_EQ(text(*accepted("a/get", "{}").at("execution"), "jobDocument"), R"({"do":1})");
  EXPECT_EQ(text(*accepted("$next/get", R"({"includeJobDocument":false})").at("execution"), "jobDocument"), "absent");
}

TEST_F(DeviceJobsTest, TheStepTimerEndsAJobAndIsFedByUpdates) {
  give("a");
  give("b", "QUEUED", kNow + 1);
  accepted("start-next", R"({"stepTimeoutInMinutes":2})");
  jobs_.expire(kNow + 119);
  EXPECT_EQ(status("a"), "IN_PROGRESS");
  accepted("a/update", R"({"status":"IN_PROGRESS","stepTimeoutInMinutes":3})", kNow + 119);
  jobs_.expire(kNow + 119 + 179);
  EXPECT_EQ(status("a"), "IN_PROGRESS");
  accepted("a/update", R"({"status":"IN_PROGRESS"})", kNow + 119 + 179);
  said_.clear();
  jobs_.expire(kNow + 119 + 180);
  EXPECT_EQ(status("a"), "TIMED_OUT") << "an update without a value leaves the timer as it is";
  EXPECT_EQ(text(*answer("jobs/notify-next").at("execution"), "jobId"), "b");
  EXPECT_EQ(refused("a/update", R"({"status":"SUCCEEDED"})"), "InvalidStateTransition");
}

TEST_F(DeviceJobsTest, TheStepTimerCanBeEndedButNotTheJobsOwn) {
  give("a", "QUEUED", kNow, 10);
  accepted("start-next", R"({"stepTimeoutInMinutes":2})");
  accepted("a/update", R"({"status":"IN_PROGRESS","stepTimeoutInMinutes":-1})", kNow + 60);
  jobs_.expire(kNow + 599);
  EXPECT_EQ(status("a"), "IN_PROGRESS");
  accepted("a/update", R"({"status":"IN_PROGRESS","stepTimeoutInMinutes":100})", kNow + 599);
  jobs_.expire(kNow + 600);
  EXPECT_EQ(status("a"), "TIMED_OUT");
}

TEST_F(DeviceJobsTest, WhatRanOutWhileNobodyCouldReportHasTimeToReport) {
  constexpr std::int64_t kBack = kNow + 100'000;
  give("a", "QUEUED", kNow, 10);
  accepted("start-next", R"({"stepTimeoutInMinutes":2})");
  jobs_.excuse(kBack);
  jobs_.expire(kBack + DeviceJobs::kReportSeconds - 1);
  EXPECT_EQ(status("a"), "IN_PROGRESS");
  accepted("a/update", R"({"status":"IN_PROGRESS","stepTimeoutInMinutes":5})", kBack + 400);
  jobs_.expire(kBack + 401);
  EXPECT_EQ(status("a"), "IN_PROGRESS") << "the job's own limit has moved as well";
  jobs_.expire(kBack + DeviceJobs::kReportSeconds);
  EXPECT_EQ(status("a"), "TIMED_OUT");
}

TEST_F(DeviceJobsTest, WithoutATimerNothingRunsOut) {
  give("a");
  accepted("start-next", R"({"stepTimeoutInMinutes":2})");
  accepted("a/update", R"({"status":"IN_PROGRESS","stepTimeoutInMinutes":-1})");
  give("b");
  jobs_.expire(kNow + 1'000'000);
  EXPECT_EQ(status("a"), "IN_PROGRESS");
  EXPECT_EQ(status("b"), "QUEUED");
}

TEST_F(DeviceJobsTest, CancellingTellsWhoKnewOfIt) {
  give("a");
  EXPECT_EQ(jobs_.cancel("a", "IN_PROGRESS", kNow), 0);
  EXPECT_EQ(jobs_.cancel("a", "QUEUED", kNow), 1);
  EXPECT_EQ(count("jobs/notify-next"), 1U);
  give("b", "WAITING");
  said_.clear();
  EXPECT_EQ(jobs_.cancel("b", "WAITING", kNow), 1);
  EXPECT_TRUE(said_.empty());
}

}  // namespace
}  // namespace fieldpost
