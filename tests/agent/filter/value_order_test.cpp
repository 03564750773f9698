// SPDX-License-Identifier: Apache-2.0
#include "agent/filter/value_order.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace fieldpost {
namespace {

TEST(ValueOrder, NeighbouringIntegersBeyond2To53AreNotEqual) {
  const std::int64_t large = std::int64_t{1} << 60;
  EXPECT_TRUE(is_less(Value{large}, Value{large + 1}));
  EXPECT_FALSE(is_less(Value{large + 1}, Value{large}));
  EXPECT_TRUE(differ_by_more_than(Value{large}, Value{large + 1}, 0));
  EXPECT_FALSE(differ_by_more_than(Value{large}, Value{large + 1}, 1));
}

TEST(ValueOrder, IntegersAndRealsCompareAsReals) {
  EXPECT_TRUE(is_less(Value{1}, Value{1.5}));
  EXPECT_TRUE(is_less(Value{-0.5}, Value{0}));
  EXPECT_TRUE(differ_by_more_than(Value{1}, Value{2.5}, 1.25));
  EXPECT_FALSE(differ_by_more_than(Value{1}, Value{2.5}, 1.5));
}

TEST(ValueOrder, AWholeDifferenceIsComparedWithAFractionalBand) {
  EXPECT_TRUE(differ_by_more_than(Value{10}, Value{12}, 1.9));
  EXPECT_FALSE(differ_by_more_than(Value{12}, Value{10}, 2.0));
  EXPECT_FALSE(differ_by_more_than(Value{12}, Value{10}, 2.9));
}

TEST(ValueOrder, TheWidestDifferenceDoesNotOverflow) {
  EXPECT_TRUE(differ_by_more_than(Value{INT64_MIN}, Value{INT64_MAX}, 1e18));
  EXPECT_FALSE(differ_by_more_than(Value{INT64_MIN}, Value{INT64_MAX}, 1e300));
  EXPECT_FALSE(differ_by_more_than(Value{INT64_MIN}, Value{INT64_MAX},
                                   std::numeric_limits<double>::infinity()));
}

TEST(ValueOrder, OnlyRealsCanBeInfinite) {
  EXPECT_TRUE(is_finite(Value{INT64_MIN}));
  EXPECT_TRUE(is_finite(Value{1.0}));
  EXPECT_FALSE(is_finite(Value{std::numeric_limits<double>::infinity()}));
  EXPECT_FALSE(is_finite(Value{std::numeric_limits<double>::quiet_NaN()}));
}

}  // namespace
}  // namespace fieldpost
