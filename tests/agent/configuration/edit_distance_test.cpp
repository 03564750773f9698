// SPDX-License-Identifier: Apache-2.0
// Distances by hand, and that a suggestion is made only when it is likely.
#include "agent/configuration/edit_distance.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fieldpost {
namespace {

constexpr std::string_view kKeys[] = {"interval", "enabled", "driver", "url", "age"};

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("interval", "interval"), 0U);
  EXPECT_EQ(edit_distance("interval", "intervall"), 1U);
  EXPECT_EQ(edit_distance("interval", "interva"), 1U);
  EXPECT_EQ(edit_distance("interval", "intarval"), 1U);
  EXPECT_EQ(edit_distance("interval", "intervla"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(EditDistance, TreatsWordsBeyondItsBoundAsEntirelyDifferent) {
  const std::string at_bound(64, 'a');
  EXPECT_EQ(edit_distance(at_bound, std::string(63, 'a')), 1U);
  EXPECT_EQ(edit_distance(at_bound, at_bound + "a"), 65U);
}

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("intervall", kKeys), "interval");
  EXPECT_EQ(nearest("Enabled", kKeys), "enabled");
  EXPECT_EQ(nearest("ulr", kKeys), "url");
}

TEST(Nearest, SuggestsNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("broker", kKeys), "");
  EXPECT_EQ(nearest("xyz", kKeys), "");
  EXPECT_EQ(nearest("x", kKeys), "");
  EXPECT_EQ(nearest("interval", {}), "");
}

}  // namespace
}  // namespace fieldpost
