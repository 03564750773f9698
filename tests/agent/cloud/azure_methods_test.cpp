// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/azure_methods.hpp"

#include <gtest/gtest.h>

#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

class AzureMethodsTest : public testing::Test {
 protected:
  void SetUp() override { methods_.start(); }
  void call(const std::string& name_and_rid, const std::string& payload = "null") {
    link_.say_below("$iothub/methods/POST/#", "$iothub/methods/POST/" + name_and_rid, payload);
  }

  int calls_ = 0;
  ManualClock clock_;
  CollectingLog log_{clock_};
  ListeningLink link_;
  AzureMethods methods_{log_.log(), link_, "gw-1",
                        {{"status", [this](std::string_view payload) {
                            ++calls_;
                            return AzureMethods::Answer{200, "{\"got\":" + std::string{payload} + "}"};
                          }},
                         {"large", [](std::string_view) { return AzureMethods::Answer{200, std::string(AzureMethods::kPayloadMax + 1, ' ')}; }}}};
};

TEST_F(AzureMethodsTest, AnswersWithStatusAndTheCallersMark) {
  call("status/?$rid=7", "5");
  ASSERT_EQ(link_.published.size(), 1U);
  EXPECT_EQ(link_.published[0].topic, "$iothub/methods/res/200/?$rid=7");
  EXPECT_EQ(link_.published[0].payload, "{\"got\":5}");
}

TEST_F(AzureMethodsTest, ACallDeliveredTwiceIsDoneOnceAndAnsweredTwice) {
  call("status/?$rid=7");
  call("status/?$rid=7");
  EXPECT_EQ(calls_, 1);
  ASSERT_EQ(link_.published.size(), 2U);
  EXPECT_EQ(link_.published[1].payload, link_.published[0].payload);
  call("status/?$rid=8");
  EXPECT_EQ(calls_, 2);
  link_.go(false);
  link_.go(true);
  call("status/?$rid=8");
  EXPECT_EQ(calls_, 3) << "marks may begin anew with the connection";
}

TEST_F(AzureMethodsTest, AnUnknownNameIsToldWhatThereIs) {
  call("reboot/?$rid=1");
  ASSERT_EQ(link_.published.size(), 1U);
  EXPECT_EQ(link_.published[0].topic, "$iothub/methods/res/404/?$rid=1");
  EXPECT_EQ(link_.published[0].payload, R"({"error":"no such method; there are: status, large"})");
}

TEST_F(AzureMethodsTest, WhatIsTooLargeIsNotSent) {
  call("large/?$rid=1");
  call("status/?$rid=2", std::string(AzureMethods::kPayloadMax + 1, ' '));
  ASSERT_EQ(link_.published.size(), 2U);
  EXPECT_EQ(link_.published[0].topic, "$iothub/methods/res/500/?$rid=1");
  EXPECT_EQ(link_.published[1].topic, "$iothub/methods/res/413/?$rid=2");
}

TEST_F(AzureMethodsTest, WithoutAMarkNobodyIsAnswered) {
  call("status");
  call("status/?$rid=");
  EXPECT_TRUE(link_.published.empty());
}

TEST_F(AzureMethodsTest, AMessageIsLoggedAndNotObeyed) {
  link_.say_below("devices/gw-1/messages/devicebound/#", "devices/gw-1/messages/devicebound/%24.mid=1", "{\"do\":\"it\"}");
  EXPECT_TRUE(link_.published.empty());
  EXPECT_TRUE(log_.contains("not obeyed"));
}

}  // namespace
}  // namespace fieldpost
