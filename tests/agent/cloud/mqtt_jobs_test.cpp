// SPDX-License-Identifier: Apache-2.0
// The conversation, answer by answer. With a double of the service behind a real broker: tests/end_to_end/test_jobs.py.
#include "agent/cloud/mqtt_jobs.hpp"

#include <gtest/gtest.h>

#include "platform/json.hpp"
#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

const std::string kBase = "$aws/things/gw-1/jobs";

struct MqttJobsTest : testing::Test {
  void look(const std::string& job = "") {
    channel.look(job, [this](const std::optional<JobExecution>& execution) { found.push_back(execution); });
  }
  void tell(JobStatus status, JobDetails details = {{"reason", "words"}}) {
    channel.tell({"job-1", 2, 5, status, std::move(details), 10}, [this](const JobAnswer& answer) { told.push_back(answer); });
  }
  Json latest() { return *Json::parse(link.published.back().payload); }
  std::string token() { return *latest().at("clientToken")->string(); }
  void answer(const std::string& outcome, const std::string& members, const std::string& with = "") {
    link.say(link.published.back().topic + "/" + outcome,
             "{" + members + (members.empty() ? "" : ",") + R"("timestamp":1,"clientToken":")" + (with.empty() ? token() : with) + "\"}");
  }
  void refuse(const std::string& code, const std::string& state = "") { answer("rejected", R"("code":")" + code + R"(","message":"no")" + state); }
  std::int64_t number(const char* name) { return *latest().at(name)->integer(); }

  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  ListeningLink link;
  MqttJobs channel{loop, log.log(), link, kBase, [] { return 0.5; }};
  std::vector<std::optional<JobExecution>> found;
  std::vector<JobAnswer> told;
};

const std::string kExecution =
    R"("execution":{"jobId":"job-1","status":"QUEUED","queuedAt":1780000000,"lastUpdatedAt":1780000000,"versionNumber":5,"executionNumber":2,"jobDocument":{"operation":"x"}})";

TEST_F(MqttJobsTest, AsksForTheNext) {
  look();
  EXPECT_EQ(link.published.back().topic, kBase + "/$next/get");
  answer("accepted", kExecution);
  ASSERT_EQ(found.size(), 1U);
  ASSERT_TRUE(found[0]);
  EXPECT_EQ(found[0]->job, "job-1");
  EXPECT_EQ(found[0]->number, 2);
  EXPECT_EQ(found[0]->version, 5);
  EXPECT_EQ(found[0]->document, R"({"operation":"x"})");
  EXPECT_EQ(to_rfc3339(found[0]->queued_at), "2026-05-28T20:26:40.000Z");
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(MqttJobsTest, AsksForAJobInHandWithoutItsDocument) {
  look();
  EXPECT_FALSE(latest().at("includeJobDocument"));
  look("job-1");
  EXPECT_EQ(latest().at("includeJobDocument")->boolean(), false);
}

TEST_F(MqttJobsTest, QuotedNumbersAndMillisecondsAreTheSame) {
  look();
  answer("accepted", R"("execution":{"jobId":"a","status":"IN_PROGRESS","queuedAt":1780000000000,"versionNumber":"7","executionNumber":"3","jobDocument":{}})");
  ASSERT_TRUE(found.at(0));
  EXPECT_EQ(found[0]->version, 7);
  EXPECT_EQ(found[0]->number, 3);
  EXPECT_EQ(to_rfc3339(found[0]->queued_at), "2026-05-28T20:26:40.000Z");
}

TEST_F(MqttJobsTest, NothingPendingIsAnAnswer) {
  for (const char* members : {"", R"("execution":{})", R"("execution":null)"}) {
    found.clear();
    look();
    answer("accepted", members);
    ASSERT_EQ(found.size(), 1U) << members;
    EXPECT_FALSE(found[0]);
  }
}

TEST_F(MqttJobsTest, AJobThatIsOverOrUnknownIsGone) {
  for (const char* code : {"TerminalStateReached", "ResourceNotFound"}) {
    found.clear();
    look("job-1");
    EXPECT_EQ(link.published.back().topic, kBase + "/job-1/get");
    refuse(code);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(found[0]);
  }
}

TEST_F(MqttJobsTest, AnExecutionThatCannotBeUnderstoodIsNoAnswer) {
  look();
  for (const char* execution : {R"({"jobId":"../x","status":"QUEUED","versionNumber":1})", R"({"jobId":"a","status":"WAITING","versionNumber":1})",
                                R"({"jobId":"a","status":"QUEUED","versionNumber":"x"})", R"({"jobId":"a+","status":"QUEUED","versionNumber":1})"}) {
    answer("accepted", R"("execution":)" + std::string{execution});
  }
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(loop.timers(), 1U);
}

TEST_F(MqttJobsTest, TellsWithVersionNumberAndToken) {
  tell(JobStatus::in_progress);
  EXPECT_EQ(link.published.back().topic, kBase + "/job-1/update");
  EXPECT_EQ(latest().at("status")->string(), "IN_PROGRESS");
  EXPECT_EQ(number("expectedVersion"), 5);
  EXPECT_EQ(number("executionNumber"), 2);
  EXPECT_EQ(number("stepTimeoutInMinutes"), 10);
  EXPECT_EQ(latest().at("statusDetails")->at("reason")->string(), "words");
  answer("accepted", R"("executionState":{"status":"IN_PROGRESS","versionNumber":9})");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, JobAnswer::Kind::accepted);
  EXPECT_EQ(told[0].version, 9);
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(MqttJobsTest, WithoutAStateInTheAnswerTheVersionIsTheNext) {
  tell(JobStatus::succeeded);
  answer("accepted", "");
  EXPECT_EQ(told.at(0).version, 6);
}

TEST_F(MqttJobsTest, RepeatsUntilItIsAnswered) {
  tell(JobStatus::succeeded);
  look();
  const std::size_t before = link.published.size();
  loop.advance(std::chrono::hours{1});
  // 5 s + half of 10, 20, 40 ... 640 s each.
  EXPECT_NEAR(static_cast<double>(link.published.size() - before), 2 * 15, 4);
  for (const auto& message : link.published) EXPECT_EQ(message.qos, 1);
}

TEST_F(MqttJobsTest, AConnectionBringsBothAtOnceAndANotice) {
  int notices = 0;
  channel.on_notice([&notices] { ++notices; });
  link.become(LinkState::waiting);
  tell(JobStatus::succeeded);
  look();
  EXPECT_TRUE(link.published.empty());
  link.become(LinkState::connected);
  EXPECT_EQ(link.published.size(), 2U);
  EXPECT_EQ(notices, 1);
}

TEST_F(MqttJobsTest, ANoticeIsOnlyAReasonToAsk) {
  int notices = 0;
  channel.on_notice([&notices] { ++notices; });
  link.say(kBase + "/notify-next", "{" + kExecution + "}");
  link.say(kBase + "/notify-next", "rubbish");
  EXPECT_EQ(notices, 2);
  EXPECT_TRUE(found.empty());
}

TEST_F(MqttJobsTest, LateDoubledAndStrangeAnswersChangeNothing) {
  look();
  const std::string old = token();
  const std::string topic = link.published.back().topic;
  look();
  const std::string present = token();
  link.say(topic + "/accepted", "{" + kExecution + R"(,"clientToken":")" + old + "\"}");
  link.say(topic + "/accepted", "{" + kExecution + "}");
  link.say(topic + "/accepted", "{");
  link.say(kBase + "/other/get/accepted", "{" + kExecution + R"(,"clientToken":")" + present + "\"}");
  link.say(kBase + "/job-1/update/accepted", R"({"clientToken":")" + present + "\"}");
  EXPECT_TRUE(found.empty());
  link.say(topic + "/accepted", "{" + kExecution + R"(,"clientToken":")" + present + "\"}");
  link.say(topic + "/accepted", "{" + kExecution + R"(,"clientToken":")" + present + "\"}");
  EXPECT_EQ(found.size(), 1U);
}

TEST_F(MqttJobsTest, AnAnswerToTheFirstAttemptAnswersTheSecond) {
  look();
  loop.advance(std::chrono::minutes{1});
  ASSERT_GT(link.published.size(), 1U);
  answer("accepted", kExecution);
  EXPECT_EQ(found.size(), 1U);
}

TEST_F(MqttJobsTest, AThrottledReportIsToldLater) {
  for (const char* code : {"RequestThrottled", "InternalError", "SomethingNew"}) {
    tell(JobStatus::succeeded);
    const std::size_t before = link.published.size();
    refuse(code);
    EXPECT_EQ(link.published.size(), before);
    EXPECT_TRUE(told.empty());
    loop.advance(std::chrono::minutes{1});
    EXPECT_GT(link.published.size(), before) << code;
  }
  look();
  refuse("RequestThrottled");
  loop.advance(std::chrono::minutes{1});
  answer("accepted", kExecution);
  EXPECT_EQ(found.size(), 1U);
}

TEST_F(MqttJobsTest, AdoptsTheCloudsVersionAndTellsAgain) {
  tell(JobStatus::succeeded);
  const std::string old = token();
  refuse("VersionMismatch", R"(,"executionState":{"status":"IN_PROGRESS","versionNumber":8})");
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(number("expectedVersion"), 8);
  EXPECT_NE(token(), old);
  // Somebody else reports, too: not as fast as one can.
  const std::size_t before = link.published.size();
  refuse("VersionMismatch", R"(,"executionState":{"status":"IN_PROGRESS","versionNumber":"9"})");
  EXPECT_EQ(link.published.size(), before);
  loop.advance(std::chrono::minutes{1});
  EXPECT_EQ(number("expectedVersion"), 9);
}

TEST_F(MqttJobsTest, ARepeatOfWhatWasAcceptedIsAccepted) {
  tell(JobStatus::succeeded);
  refuse("InvalidStateTransition", R"(,"executionState":{"status":"SUCCEEDED","versionNumber":6})");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, JobAnswer::Kind::accepted);
  tell(JobStatus::in_progress);
  refuse("VersionMismatch", R"(,"executionState":{"status":"IN_PROGRESS","versionNumber":6})");
  EXPECT_EQ(told.at(1).kind, JobAnswer::Kind::accepted);
  EXPECT_EQ(told[1].version, 6);
}

TEST_F(MqttJobsTest, WhatIsOverIsGone) {
  const std::pair<const char*, const char*> kAnswers[] = {
      {"InvalidStateTransition", R"(,"executionState":{"status":"CANCELED","versionNumber":6})"},
      {"VersionMismatch", R"(,"executionState":{"status":"TIMED_OUT","versionNumber":6})"},
      {"VersionMismatch", ""},
      {"TerminalStateReached", ""},
      {"ResourceNotFound", ""},
  };
  for (const auto& [code, state] : kAnswers) {
    told.clear();
    tell(JobStatus::in_progress);
    refuse(code, state);
    ASSERT_EQ(told.size(), 1U) << code << state;
    EXPECT_EQ(told[0].kind, JobAnswer::Kind::gone);
  }
}

TEST_F(MqttJobsTest, ARefusedReportIsToldOnceMoreWithFewWordsAndThenNotAgain) {
  tell(JobStatus::failed, {{"reason", std::string(500, 'x')}, {"stderr", "y"}});
  refuse("InvalidRequest");
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(latest().at("statusDetails")->keys(), std::vector<std::string>{"reason"});
  EXPECT_EQ(latest().at("statusDetails")->at("reason")->string()->size(), 128U);
  refuse("InvalidRequest");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, JobAnswer::Kind::refused);
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_TRUE(log.contains("refuses a job's report"));
}

TEST_F(MqttJobsTest, ARefusedQuestionIsNotRepeated) {
  look();
  refuse("InvalidTopic");
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_TRUE(log.contains("refuses a question"));
}

TEST_F(MqttJobsTest, DetailsAreWithinTheLimits) {
  JobDetails details;
  for (int i = 0; i < 12; ++i) details.emplace_back("key-" + std::to_string(i), i == 1 ? "" : "v");
  details[0].second = "a\nb\tc\x01 \xc3\xa4 \xc2\x85\xc2\xad\xe2\x80\x8b\xe2\x82\xac\xef\xbb\xbf\xff";
  details[2].second = std::string(1'023, 'x') + "\xc3\xa4";
  tell(JobStatus::failed, details);
  const Json sent = *latest().at("statusDetails");
  EXPECT_EQ(sent.keys().size(), JobChannel::kDetailsMax);
  EXPECT_FALSE(sent.at("key-1"));  // the service wants one character at least
  EXPECT_EQ(sent.at("key-0")->string(), "a b c  \xc3\xa4    \xe2\x82\xac  ");
  EXPECT_EQ(sent.at("key-2")->string(), std::string(1'023, 'x'));
}

TEST_F(MqttJobsTest, ANewReportTakesThePlaceOfTheOld) {
  tell(JobStatus::in_progress);
  const std::string old = token();
  tell(JobStatus::succeeded);
  answer("accepted", "", old);
  EXPECT_TRUE(told.empty());
  answer("accepted", "");
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(MqttJobsTest, AfterStopNothingIsSaid) {
  look();
  tell(JobStatus::failed);
  channel.stop();
  const std::size_t before = link.published.size();
  link.become(LinkState::connected);
  loop.advance(std::chrono::hours{1});
  EXPECT_EQ(link.published.size(), before);
}

}  // namespace
}  // namespace fieldpost
