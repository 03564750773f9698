// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/mqtt_authority.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "platform/json.hpp"
#include "tests/agent/cloud/listening_link.hpp"

namespace fieldpost {
namespace {

struct MqttAuthorityTest : testing::Test {
  void say(const std::string& payload) { link.say("fieldpost/gw-1/certificate/answer", payload); }
  std::string id() { return *Json::parse(link.published.back().payload)->at("id")->string(); }
  void ask(const std::string& request = "REQUEST") {
    ASSERT_TRUE(authority.ask(request, [this](Result<std::string> answer) { answers.push_back(std::move(answer)); }));
  }

  ListeningLink link;
  MqttAuthority authority{link, "fieldpost/gw-1/certificate"};
  std::vector<Result<std::string>> answers;
};

TEST_F(MqttAuthorityTest, PublishesTheRequestWithItsName) {
  ask();
  ASSERT_EQ(link.published.size(), 1U);
  EXPECT_EQ(link.published[0].topic, "fieldpost/gw-1/certificate/request");
  EXPECT_EQ(Json::parse(link.published[0].payload)->at("request")->string(), "REQUEST");
  const std::string first = id();
  ask();
  EXPECT_EQ(id(), first);
  ask("ANOTHER");
  EXPECT_NE(id(), first);
}

TEST_F(MqttAuthorityTest, GivesEveryAnswerForNotAllComeFromTheAuthority) {
  ask();
  say(R"({"id":")" + id() + R"(","certificate":"WRONG"})");
  say(R"({"id":")" + id() + R"(","certificate":"CHAIN"})");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(*answers[1], "CHAIN");
}

TEST_F(MqttAuthorityTest, CutsLongWords) {
  ask();
  say(R"({"id":")" + id() + R"(","error":")" + std::string(5'000, 'x') + "\"}");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_LT(answers[0].error().sentence().size(), 300U);
}

TEST_F(MqttAuthorityTest, GivesTheAuthoritysWordsWhenItRefuses) {
  ask();
  say(R"({"id":")" + id() + R"(","error":"unknown device"})");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].error().kind(), ErrorKind::Denied);
  EXPECT_NE(answers[0].error().sentence().find("unknown device"), std::string::npos);
}

TEST_F(MqttAuthorityTest, TakesNothingElseForAnAnswer) {
  say(R"({"id":"00000000","certificate":"CHAIN"})");  // nobody asked
  ask();
  for (const std::string& payload :
       {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{R"({"certificate":"CHAIN"})"},
        std::string{R"({"id":"00000000","certificate":"CHAIN"})"}, R"({"id":")" + id() + R"("})",
        R"({"id":")" + id() + R"(","certificate":7})", R"({"id":")" + id() + R"(","certificate":")" + std::string(200'000, 'x') + "\"}"}) {
    say(payload);
  }
  EXPECT_TRUE(answers.empty());
}

TEST_F(MqttAuthorityTest, SaysWhenItCannotBeReached) {
  link.up = false;
  const auto asked = authority.ask("REQUEST", [](const Result<std::string>&) { FAIL(); });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().kind(), ErrorKind::Unavailable);
}

TEST_F(MqttAuthorityTest, TellsWhatIsInUse) {
  DeviceCertificate certificate;
  certificate.serial = "0a:1b";
  certificate.subject = "CN=gw-1";
  int heard = 0;
  authority.tell_in_use(certificate, [&heard](const Result<void>& result) { heard += result ? 1 : 0; });
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(link.published[0].topic, "fieldpost/gw-1/certificate/in_use");
  EXPECT_EQ(Json::parse(link.published[0].payload)->at("serial")->string(), "0a:1b");
  link.up = false;
  authority.tell_in_use(certificate, [&heard](const Result<void>& result) { heard += result ? 0 : 10; });
  EXPECT_EQ(heard, 11);
}

}  // namespace
}  // namespace fieldpost
