// SPDX-License-Identifier: Apache-2.0
// Quantiles: exact up to the bound, within the promised error past it.
#include "agent/aggregate/order_statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace fieldpost {
namespace {

/// The value of nearest rank, the slow way: the smallest with enough values at or below it.
double nearest_rank(std::vector<double> values, double rank) {
  std::sort(values.begin(), values.end());
  const double needed = rank * static_cast<double>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (static_cast<double>(i + 1) >= needed - 1e-6) return values[i];
  }
  return values.back();
}

TEST(OrderStatistics, OfOneToHundredAreTheRanksThemselves) {
  OrderStatistics order;
  for (int i = 100; i >= 1; --i) order.add(i);
  EXPECT_EQ(order.at(0.5), 50);
  EXPECT_EQ(order.at(0.95), 95);
  EXPECT_EQ(order.at(0.99), 99);
  EXPECT_EQ(order.at(0.07), 7);  // 0.07 * 100 is a little more than 7 in doubles
  EXPECT_EQ(order.at(0.001), 1);
  EXPECT_EQ(order.at(0.999), 100);
}

TEST(OrderStatistics, OfOneValueAreThatValue) {
  OrderStatistics order;
  order.add(-3.5);
  EXPECT_EQ(order.at(0.01), -3.5);
  EXPECT_EQ(order.at(0.99), -3.5);
}

TEST(OrderStatistics, AreExactAtTheBoundAndEstimatesOnePastIt) {
  OrderStatistics order;
  for (std::size_t i = 0; i < OrderStatistics::kExactMax; ++i) order.add(static_cast<double>(i));
  EXPECT_TRUE(order.is_exact());
  EXPECT_EQ(order.at(0.5), OrderStatistics::kExactMax / 2 - 1);
  order.add(1);
  EXPECT_FALSE(order.is_exact());
  EXPECT_EQ(order.count(), OrderStatistics::kExactMax + 1);
  order.clear();
  EXPECT_TRUE(order.is_exact());
  order.add(5);
  EXPECT_EQ(order.at(0.5), 5);
}

TEST(OrderStatistics, AgreeWithSortingWhateverTheStream) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::normal_distribution<double> normal{0, 100};
  std::lognormal_distribution<double> lognormal{0, 2};
  OrderStatistics order;
  for (int round = 0; round < 60; ++round) {
    order.clear();
    const std::size_t count = 1 + random() % (round % 2 == 0 ? OrderStatistics::kExactMax : 20'000);
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i) {
      double value = 0;
      switch (round % 5) {
        case 0: value = normal(random); break;
        case 1: value = lognormal(random); break;
        case 2: value = -lognormal(random); break;
        case 3: value = static_cast<double>(random() % 7) - 3; break;
        case 4: value = std::round(normal(random)) * 1e-9; break;
      }
      values.push_back(value);
      order.add(value);
    }
    for (const double rank : {0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999}) {
      const double truth = nearest_rank(values, rank);
      if (count <= OrderStatistics::kExactMax) {
        ASSERT_EQ(order.at(rank), truth) << "round " << round << " rank " << rank;
      } else {
        ASSERT_NEAR(order.at(rank), truth,
                    std::fabs(truth) * OrderStatistics::kRelativeError * 1.0001)
            << "round " << round << " rank " << rank;
      }
    }
  }
}

TEST(OrderStatistics, KeepUpperQuantilesWhenTheBucketsRunOut) {
  // Forty powers of ten need five times the buckets there are.
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random{seed};
  std::uniform_real_distribution<double> exponent{-20, 20};
  OrderStatistics order;
  std::vector<double> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(std::pow(10, exponent(random)));
    order.add(values.back());
  }
  for (const double rank : {0.9, 0.95, 0.99}) {
    const double truth = nearest_rank(values, rank);
    EXPECT_NEAR(order.at(rank), truth, truth * OrderStatistics::kRelativeError * 1.0001);
  }
  EXPECT_GE(order.at(0.01), *std::min_element(values.begin(), values.end()));
}

TEST(OrderStatistics, BearTheLargestAndSmallestDoubles) {
  OrderStatistics order;
  constexpr double kMost = std::numeric_limits<double>::max();
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  for (int i = 0; i < 1000; ++i) {
    for (const double value : {-kMost, -kLeast, 0.0, kLeast, kMost}) order.add(value);
  }
  EXPECT_FALSE(order.is_exact());
  EXPECT_NEAR(order.at(0.1) / kMost, -1, 0.0101);
  EXPECT_EQ(order.at(0.5), 0);
  EXPECT_NEAR(order.at(0.99) / kMost, 1, 0.0101);
}

}  // namespace
}  // namespace fieldpost
