// SPDX-License-Identifier: Apache-2.0
// The conversation, step by step. With a double of the service behind a real broker: tests/end_to_end/test_aws_claim.py.
#include "agent/cloud/aws_claim.hpp"

#include <gtest/gtest.h>

#include "platform/json.hpp"
#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

const std::string kCreate = "$aws/certificates/create-from-csr/json";
const std::string kProvision = "$aws/provisioning-templates/gateways/provision/json";

struct AwsClaimTest : testing::Test {
  AwsClaimTest() {
    EXPECT_TRUE(claim.ask("REQUEST", [this](Result<std::string> answer) { answers.push_back(std::move(answer)); }));
  }
  void sign() { link.say(kCreate + "/accepted", R"({"certificateOwnershipToken":"T","certificateId":"1","certificatePem":"CHAIN"})"); }
  Result<Json> latest() { return Json::parse(link.published.back().payload); }

  ManualClock clock;
  ManualEventLoop loop{clock};
  ListeningLink link;
  AwsClaim claim{loop, link, "gateways", {{"SerialNumber", "123"}, {"Model", "B"}}};
  std::vector<Result<std::string>> answers;
};

TEST_F(AwsClaimTest, SignsRegistersAndAnswers) {
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_EQ(link.published[0].topic, kCreate);
  EXPECT_EQ(link.published[0].payload, R"({"certificateSigningRequest":"REQUEST"})");
  sign();
  ASSERT_EQ(link.published.size(), 2U);
  EXPECT_EQ(link.published[1].topic, kProvision);
  EXPECT_EQ(link.published[1].payload, R"({"certificateOwnershipToken":"T","parameters":{"SerialNumber":"123","Model":"B"}})");
  EXPECT_TRUE(answers.empty());
  link.say(kProvision + "/accepted", R"({"deviceConfiguration":{},"thingName":"gw-123"})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(*answers[0], "CHAIN");
  EXPECT_EQ(claim.thing_name(), "gw-123");
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(AwsClaimTest, AsksAgainWhileNobodyAnswers) {
  loop.advance(AwsClaim::kAttemptPause);
  EXPECT_EQ(link.published.size(), 2U);
  sign();
  loop.advance(AwsClaim::kAttemptPause);
  EXPECT_EQ(link.published.back().topic, kProvision);
  loop.advance(AwsClaim::kAttemptPause * AwsClaim::kAttemptsMax);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Timeout);
}

TEST_F(AwsClaimTest, TriesAgainWhatIsThrottledAndGivesUpWhatIsRefused) {
  link.say(kCreate + "/rejected", R"({"statusCode":429,"errorCode":"Throttled","errorMessage":"too many"})");
  EXPECT_TRUE(answers.empty());
  loop.advance(AwsClaim::kAttemptPause);
  EXPECT_EQ(link.published.size(), 2U);
  sign();
  link.say(kProvision + "/rejected", R"({"statusCode":403,"errorCode":"AccessDenied","errorMessage":"the hook says no"})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Denied);
  EXPECT_EQ(answers[0].error().sentence(), "the service refuses: AccessDenied, the hook says no");
}

TEST_F(AwsClaimTest, SaysTheLastRefusalWhenItIsThrottledForEver) {
  for (int i = 0; i < AwsClaim::kAttemptsMax; ++i) {
    link.say(kCreate + "/rejected", R"({"statusCode":429,"errorCode":"Throttled","errorMessage":"too many"})");
    loop.advance(AwsClaim::kAttemptPause);
  }
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Denied);
}

TEST_F(AwsClaimTest, AnswersOutOfTurnOrTwiceChangeNothing) {
  link.say(kProvision + "/accepted", R"({"thingName":"too-early"})");
  EXPECT_TRUE(answers.empty());
  sign();
  sign();
  EXPECT_EQ(link.published.size(), 2U);
  link.say(kProvision + "/accepted", R"({"thingName":"gw-123"})");
  link.say(kProvision + "/accepted", R"({"thingName":"another"})");
  link.say(kCreate + "/rejected", R"({"statusCode":403})");
  EXPECT_EQ(answers.size(), 1U);
  EXPECT_EQ(claim.thing_name(), "gw-123");
}

TEST_F(AwsClaimTest, AnAnswerThatIsNoneIsMalformed) {
  for (const char* payload : {"", "{}", "[]", R"({"certificateOwnershipToken":"T"})", R"({"certificateOwnershipToken":1,"certificatePem":"C"})"}) {
    answers.clear();
    EXPECT_TRUE(claim.ask("REQUEST", [this](Result<std::string> answer) { answers.push_back(std::move(answer)); }));
    link.say(kCreate + "/accepted", payload);
    ASSERT_EQ(answers.size(), 1U) << payload;
    EXPECT_EQ(answers[0].error().kind(), ErrorKind::Malformed);
  }
}

TEST_F(AwsClaimTest, WithoutAConnectionItIsNotAsked) {
  link.up = false;
  const auto asked = claim.ask("REQUEST", [](const Result<std::string>&) { FAIL(); });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().kind(), ErrorKind::Unavailable);
}

TEST_F(AwsClaimTest, AConnectionThatIsLostMeanwhileIsWaitedFor) {
  link.up = false;
  loop.advance(AwsClaim::kAttemptPause);
  link.up = true;
  link.published.clear();
  loop.advance(AwsClaim::kAttemptPause);
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_TRUE(latest()->at("certificateSigningRequest"));
}

TEST_F(AwsClaimTest, ARenewalIsForTheThingThatAsksOrForNone) {
  ListeningLink own;
  AwsClaim renewal{loop, own, "gateways", {}, "gw-123"};
  for (const char* name : {"gw-124", "gw-123"}) {
    answers.clear();
    ASSERT_TRUE(renewal.ask("REQUEST", [this](Result<std::string> answer) { answers.push_back(std::move(answer)); }));
    own.say(kCreate + "/accepted", R"({"certificateOwnershipToken":"T","certificatePem":"CHAIN"})");
    own.say(kProvision + "/accepted", std::string{R"({"thingName":")"} + name + "\"}");
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].has_value(), std::string_view{name} == "gw-123");
  }
}

}  // namespace
}  // namespace fieldpost
