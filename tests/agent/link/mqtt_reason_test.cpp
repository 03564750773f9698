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
  // Sync gives up what is OutOfRange or Malformed; a topic is the whole lane's, and an operator mends it.
  EXPECT_EQ(explain_puback(0x90).kind(), ErrorKind::Denied);
  EXPECT_EQ(explain_puback(0x95).kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(explain_puback(0x99).kind(), ErrorKind::Malformed);
  EXPECT_NE(explain_suback(0x80, "a/#").sentence().find("'a/#'"), std::string::npos);
}

TEST(MqttReason, OnlyALengthAndAPayloadFormatAreRefusedForGood) {
  for (int code = 0x80; code < 0x100; ++code) {
    const ErrorKind kind = explain_puback(code).kind();
    if (code == 0x95) {
      EXPECT_EQ(kind, ErrorKind::OutOfRange);
    } else if (code == 0x99) {
      EXPECT_EQ(kind, ErrorKind::Malformed);
    } else {
      EXPECT_TRUE(kind == ErrorKind::Unavailable || kind == ErrorKind::Denied) << code;
    }
  }
}

}  // namespace
}  // namespace fieldpost
