// SPDX-License-Identifier: Apache-2.0
#include "agent/link/topic_filter.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(TopicFilter, MatchesAsTheStandardSays) {
  EXPECT_TRUE(topic_matches("a/b", "a/b"));
  EXPECT_FALSE(topic_matches("a/b", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/b/c", "a/b"));
  EXPECT_TRUE(topic_matches("a/+/c", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/+", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/+", "a/"));
  EXPECT_TRUE(topic_matches("+/+", "/a"));
  EXPECT_TRUE(topic_matches("a/#", "a"));
  EXPECT_TRUE(topic_matches("a/#", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/#", "ab"));
  EXPECT_TRUE(topic_matches("#", "a/b"));
  EXPECT_FALSE(topic_matches("#", "$SYS/x"));
  EXPECT_FALSE(topic_matches("+/x", "$SYS/x"));
  EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/x"));
  EXPECT_TRUE(topic_matches("$share/group/a/+", "a/b"));
  EXPECT_FALSE(topic_matches("$share/group", "group"));
  EXPECT_TRUE(topic_matches("$aws/things/7/jobs/notify", "$aws/things/7/jobs/notify"));
}

}  // namespace
}  // namespace fieldpost
