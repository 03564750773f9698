// SPDX-License-Identifier: Apache-2.0
#include "platform/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fieldpost {
namespace {

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_TRUE(matches_glob("node_load1", "node_load1"));
  EXPECT_FALSE(matches_glob("node_load1", "node_load15"));
  EXPECT_FALSE(matches_glob("node_load15", "node_load1"));
  EXPECT_FALSE(matches_glob("", "x"));
}

TEST(Glob, AStarIsAnyRunAndAQuestionMarkAnyByte) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("node_*_celsius", "node_hwmon_temp_celsius"));
  EXPECT_TRUE(matches_glob("node_*_celsius", "node__celsius"));
  EXPECT_FALSE(matches_glob("node_*_celsius", "node_celsius"));
  EXPECT_TRUE(matches_glob("eth?", "eth0"));
  EXPECT_FALSE(matches_glob("eth?", "eth"));
  EXPECT_TRUE(matches_glob("a**b", "ab"));
  EXPECT_TRUE(matches_glob("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(matches_glob("*a*b", "xxaxxbxx"));
  EXPECT_TRUE(matches_glob("*ab", "aab"));
}

TEST(Glob, AMaliciousPatternIsDoneSoon) {
  // By recursion this takes longer than the universe has.
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace fieldpost
