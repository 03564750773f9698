// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/merge_patch.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string patch(std::string_view from, std::string_view to) { return merge_patch(*Json::parse(from), *Json::parse(to)); }

TEST(MergePatch, OfTheSameIsEmptyWhateverTheOrder) {
  EXPECT_EQ(patch("{}", "{}"), "{}");
  EXPECT_EQ(patch(R"({"a":1,"b":{"c":[1,{"x":2,"y":3}],"d":"e"}})", R"({"b":{"d":"e","c":[1,{"y":3,"x":2}]},"a":1.0})"), "{}");
}

TEST(MergePatch, SaysOnlyWhatChanges) {
  EXPECT_EQ(patch(R"({"a":1,"b":{"c":2,"d":3}})", R"({"a":1,"b":{"c":2,"d":4}})"), R"({"b":{"d":4}})");
  EXPECT_EQ(patch("{}", R"({"a":{"b":true}})"), R"({"a":{"b":true}})");
}

TEST(MergePatch, NullTakesAwayWhatIsGone) {
  EXPECT_EQ(patch(R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"c":2}})"), R"({"b":{"d":null},"a":null})");
}

TEST(MergePatch, ListsAndKindsAreReplacedWhole) {
  EXPECT_EQ(patch(R"({"a":[1,2]})", R"({"a":[1,2,3]})"), R"({"a":[1,2,3]})");
  EXPECT_EQ(patch(R"({"a":[1,2]})", R"({"a":[2,1]})"), R"({"a":[2,1]})");
  EXPECT_EQ(patch(R"({"a":{"b":1}})", R"({"a":"x"})"), R"({"a":"x"})");
}

TEST(MergePatch, WithoutRemovalsItIsAShadowsDelta) {
  const auto delta = [](std::string_view reported, std::string_view desired) { return merge_patch(*Json::parse(reported), *Json::parse(desired), false); };
  EXPECT_EQ(delta(R"({"a":1,"c":3})", R"({"a":1,"b":2})"), R"({"b":2})");
  EXPECT_EQ(delta(R"({"a":{"x":1,"y":3}})", R"({"a":{"x":1,"y":2}})"), R"({"a":{"y":2}})");
  EXPECT_EQ(delta(R"({"a":[1]})", R"({"a":[1,2]})"), R"({"a":[1,2]})");
  EXPECT_EQ(delta(R"({"a":{"x":1}})", R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(delta(R"({"a":{"x":1,"y":2}})", R"({"a":{"x":1}})"), "{}");
  EXPECT_EQ(delta(R"({"a":[{"x":1,"y":2}]})", R"({"a":[{"y":2,"x":1}]})"), "{}") << "the order of members says nothing";
  EXPECT_EQ(delta(R"({"a":1})", "{}"), "{}");
}

}  // namespace
}  // namespace fieldpost
