// SPDX-License-Identifier: Apache-2.0
// The conversation, step by step. With a double of the service: tests/end_to_end/test_azure_dps.py.
#include "agent/cloud/azure_dps.hpp"

#include <gtest/gtest.h>

#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

const std::string kRequest = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\nBBBB\n-----END CERTIFICATE REQUEST-----\n";

struct AzureDpsTest : testing::Test {
  AzureDpsTest() { begin(dps); }
  void begin(AzureDps& service) {
    service.begin([this](Result<AzureDps::Registered> answer) { answers.push_back(std::move(answer)); });
  }
  /// To the latest publish.
  void say(const std::string& status, const std::string& payload, const std::string& bag = "") {
    const std::string& topic = link.published.back().topic;
    const std::size_t number = topic.find("$rid=");
    link.say_below("$dps/registrations/res/#", "$dps/registrations/res/" + status + "/?" + topic.substr(number, topic.find('&', number) - number) + bag, payload);
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  ListeningLink link;
  AzureDps dps{loop, link, "gw-1", ""};
  std::vector<Result<AzureDps::Registered>> answers;
};

TEST_F(AzureDpsTest, RegistersAsksInTheServicesTimeAndGetsAHub) {
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_EQ(link.published[0].topic, "$dps/registrations/PUT/iotdps-register/?$rid=1");
  EXPECT_EQ(link.published[0].payload, R"({"registrationId":"gw-1"})");
  say("202", R"({"operationId":"5.abc","status":"assigning"})", "&retry-after=7");
  loop.advance(seconds{6});
  EXPECT_EQ(link.published.size(), 1U);
  loop.advance(seconds{1});
  ASSERT_EQ(link.published.size(), 2U);
  EXPECT_EQ(link.published[1].topic, "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=5.abc");
  say("200", R"({"operationId":"5.abc","status":"assigned","registrationState":{"assignedHub":"hub-7.azure-devices.net","deviceId":"gw-1"}})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]->hub, "hub-7.azure-devices.net");
  EXPECT_EQ(answers[0]->device_id, "gw-1");
  EXPECT_EQ(loop.timers(), 0U);
}

TEST_F(AzureDpsTest, ARequestGoesAlongAndItsChainComesBack) {
  AzureDps issuing{loop, link, "gw-1", kRequest};
  begin(issuing);
  EXPECT_EQ(link.published.back().payload, R"({"registrationId":"gw-1","csr":"AAAABBBB"})");
  say("200", R"({"status":"assigned","registrationState":{"assignedHub":"h","deviceId":"d","issuedCertificateChain":["QQ==","Qg=="]}})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]->chain_pem, "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nQg==\n-----END CERTIFICATE-----\n");
  answers.clear();
  begin(issuing);
  say("200", R"({"status":"assigned","registrationState":{"assignedHub":"h","deviceId":"d"}})");
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Malformed);
}

TEST_F(AzureDpsTest, AFailedOrDisabledRegistrationIsDeniedWithItsWords) {
  for (const char* status : {"failed", "disabled"}) {
    answers.clear();
    begin(dps);
    say("200", std::string{R"({"status":")"} + status + R"(","registrationState":{"errorCode":400209,"errorMessage":"no hub left"}})");
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].error().kind(), ErrorKind::Denied);
    EXPECT_EQ(answers[0].error().sentence(), std::string{"the provisioning service refuses: 400209, no hub left (status "} + status + ")");
  }
}

TEST_F(AzureDpsTest, WhatIsRefusedIsDeniedAndWhatIsThrottledComesAgain) {
  say("429", R"({"errorCode":429001,"message":"slow down"})", "&retry-after=20");
  loop.advance(seconds{19});
  EXPECT_EQ(link.published.size(), 1U);
  loop.advance(seconds{1});
  EXPECT_EQ(link.published.size(), 2U);
  EXPECT_TRUE(answers.empty());
  say("401", R"({"errorCode":401002,"message":"unknown registration"})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Denied);
}

TEST_F(AzureDpsTest, SilenceIsAskedAgainAndThenGivenUp) {
  for (int i = 0; i < AzureDps::kSilencesMax; ++i) loop.advance(AzureDps::kSilenceMax);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Timeout);
  EXPECT_EQ(link.published.size(), static_cast<std::size_t>(AzureDps::kSilencesMax));
}

TEST_F(AzureDpsTest, AServiceThatAssignsForEverIsGivenUp) {
  for (int i = 0; i < 1000 && answers.empty(); ++i) {
    say("202", R"({"operationId":"5.abc","status":"assigning"})");
    loop.advance(AzureDps::kPollPause);
  }
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Timeout);
}

TEST_F(AzureDpsTest, AnAnswerToAnotherAttemptOrNoneAtAllChangesNothing) {
  link.say_below("$dps/registrations/res/#", "$dps/registrations/res/200/?$rid=9", R"({"status":"assigned","registrationState":{"assignedHub":"h","deviceId":"d"}})");
  link.say_below("$dps/registrations/res/#", "$dps/registrations/res/", "");
  EXPECT_TRUE(answers.empty());
  for (const char* payload : {"{}", "[]", R"({"status":"assigned"})", R"({"status":"assigned","registrationState":{"assignedHub":7}})"}) {
    answers.clear();
    begin(dps);
    say("200", payload);
    ASSERT_EQ(answers.size(), 1U) << payload;
    EXPECT_FALSE(answers[0]) << payload;
  }
}

TEST_F(AzureDpsTest, TheCommonNameIsTheRegistration) {
  EXPECT_EQ(*AzureDps::registration_id("CN=gw-1"), "gw-1");
  EXPECT_EQ(*AzureDps::registration_id("O=Acme, CN=gw:1_.x, OU=y"), "gw:1_.x");
  EXPECT_EQ(*AzureDps::registration_id("CN=" + std::string(128, 'a')), std::string(128, 'a'));
  for (const std::string& subject : {std::string{"O=Acme"}, std::string{"CN="}, std::string{"CN=a b"}, "CN=" + std::string(129, 'a'), std::string{"O=XCN=a"}}) {
    EXPECT_FALSE(AzureDps::registration_id(subject)) << subject;
  }
}

TEST_F(AzureDpsTest, TheLinkSpeaksAsTheServiceWants) {
  const LinkOptions options = AzureDps::link_options({}, "dps.example:8884", "0ne", "gw-1", false);
  EXPECT_EQ(options.url, "mqtts://dps.example:8884");
  EXPECT_EQ(options.client_id, "gw-1");
  EXPECT_EQ(options.username, "0ne/registrations/gw-1/api-version=2019-03-31");
  EXPECT_EQ(AzureDps::link_options({}, "x", "0ne", "gw-1", true).username, "0ne/registrations/gw-1/api-version=2025-07-01-preview");
}

}  // namespace
}  // namespace fieldpost
