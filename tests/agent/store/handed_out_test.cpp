// SPDX-License-Identifier: Apache-2.0
#include "agent/store/handed_out.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using Range = HandedOut::Range;

TEST(HandedOut, JoinsWhatOverlapsOrTouches) {
  HandedOut handed_out;
  handed_out.note_left(Lane::live, {10, 20});
  handed_out.note_left(Lane::live, {40, 50});
  handed_out.note_left(Lane::live, {0, 3});
  handed_out.note_left(Lane::live, {21, 25});
  handed_out.note_left(Lane::live, {15, 18});
  EXPECT_EQ(handed_out.all()[2], (std::vector<Range>{{0, 3}, {10, 25}, {40, 50}}));
  handed_out.note_left(Lane::live, {4, 60});
  EXPECT_EQ(handed_out.all()[2], (std::vector<Range>{{0, 60}}));
  EXPECT_TRUE(handed_out.all()[1].empty());
}

TEST(HandedOut, SaysHowFarTheRowsGoThatMayHaveLeft) {
  HandedOut handed_out;
  handed_out.note_left(Lane::live, {10, 20});
  EXPECT_FALSE(handed_out.left_until(Lane::live, 9));
  EXPECT_EQ(handed_out.left_until(Lane::live, 10), 20);
  EXPECT_EQ(handed_out.left_until(Lane::live, 20), 20);
  EXPECT_FALSE(handed_out.left_until(Lane::live, 21));
  EXPECT_FALSE(handed_out.left_until(Lane::bulk, 15));
}

TEST(HandedOut, TakesWhatIsNoRangeForNothing) {
  HandedOut handed_out;
  handed_out.note_left(Lane::bulk, {0, 0});
  handed_out.note_left(Lane::bulk, {7, 6});
  EXPECT_TRUE(handed_out.all()[3].empty());
}

TEST(HandedOut, JoinsTheNearestIfThereAreTooMany) {
  HandedOut handed_out;
  const auto max = static_cast<std::int64_t>(HandedOut::kRangesMax);
  for (std::int64_t i = 1; i <= max; ++i) handed_out.note_left(Lane::live, {i * 1'000, i * 1'000 + (i == 7 ? 900 : 10)});
  EXPECT_EQ(handed_out.all()[2].size(), HandedOut::kRangesMax);
  EXPECT_FALSE(handed_out.left_until(Lane::live, 7'950));
  handed_out.note_left(Lane::live, {1, 2});
  EXPECT_EQ(handed_out.all()[2].size(), HandedOut::kRangesMax);
  EXPECT_EQ(handed_out.left_until(Lane::live, 7'950), 8'010);
  EXPECT_FALSE(handed_out.left_until(Lane::live, 6'950));
}

}  // namespace
}  // namespace fieldpost
