// SPDX-License-Identifier: Apache-2.0
#include "platform/json_member.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(JsonMember, IsWhatItShouldBeOrNothing) {
  const Json json = *Json::parse(R"({"text":"a","number":7,"quoted":"-8","late":"9x","flag":true,"empty":""})");
  EXPECT_EQ(member_text(json, "text"), "a");
  EXPECT_EQ(member_text(json, "number"), "");
  EXPECT_EQ(member_text(json, "absent"), "");
  EXPECT_EQ(member_integer(json, "number"), 7);
  EXPECT_EQ(member_integer(json, "quoted"), -8);
  for (const char* key : {"late", "text", "empty", "flag", "absent"}) EXPECT_FALSE(member_integer(json, key)) << key;
  EXPECT_TRUE(member_flag(json, "flag"));
  EXPECT_FALSE(member_flag(json, "absent"));
  EXPECT_TRUE(member_flag(json, "absent", true));
  EXPECT_TRUE(member_flag(json, "number", true));
}

}  // namespace
}  // namespace fieldpost
