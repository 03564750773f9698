// SPDX-License-Identifier: Apache-2.0
#include "agent/link/mqtt_reason.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(MqttReason, ANewCodeStillMakesASentence) {
  const auto error = explain_connack(LinkOptions::MqttVersion::v5, 0xEE, {"b:1", "me", false});
  EXPECT_EQ(error.sentence(), "b:1 refused our CONNECT: unknown reason (reason 0xee); see the broker's log for the reason");
  EXPECT_EQ(explain_puback(0x97).kind(), ErrorKind::Unavailable);
  EXPECT_EQ(explain_puback(0x87).kind(), ErrorKind::Denied);
  EXPECT_NE(explain_suback(0x80, "a/#").sentence().find("'a/#'"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
