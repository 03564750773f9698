// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/shadow_document.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string laid_over(const std::string& document, const std::string& patch) { return merged(document, *Json::parse(patch)); }

TEST(ShadowDocument, MergesKeyByKeyAndReplacesTheRest) {
  EXPECT_EQ(laid_over("", R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(laid_over(R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"d":4}})"), R"({"a":1,"b":{"c":2,"d":4}})");
  EXPECT_EQ(laid_over(R"({"a":[1,2]})", R"({"a":[3]})"), R"({"a":[3]})");
  EXPECT_EQ(laid_over(R"({"a":{"b":1}})", R"({"a":5})"), R"({"a":5})");
  EXPECT_EQ(laid_over(R"({"a":5})", R"({"a":{"b":1}})"), R"({"a":{"b":1}})");
}

TEST(ShadowDocument, NullTakesAKeyAway) {
  EXPECT_EQ(laid_over(R"({"a":1,"b":{"c":2,"d":3}})", R"({"a":null,"b":{"c":null}})"), R"({"b":{"d":3}})");
  EXPECT_EQ(laid_over("{}", R"({"a":{"b":null}})"), R"({"a":{}})");
}

TEST(ShadowDocument, FindsANullInsideOfAnArrayHoweverDeep) {
  EXPECT_TRUE(has_null_in_array(*Json::parse(R"({"a":{"b":[1,null]}})")));
  EXPECT_TRUE(has_null_in_array(*Json::parse(R"({"a":[{"b":[null]}]})")));
  EXPECT_FALSE(has_null_in_array(*Json::parse(R"({"a":null,"b":[{"c":null}]})")));
}

}  // namespace
}  // namespace fieldpost
