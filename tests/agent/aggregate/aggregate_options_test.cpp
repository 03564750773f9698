// SPDX-License-Identifier: Apache-2.0
#include "agent/aggregate/aggregate_options.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(AggregateOptions, DefaultsAndTheUsualQuantilesAreAllowed) {
  EXPECT_TRUE(check(AggregateOptions{}));
  EXPECT_TRUE(check(AggregateOptions{std::chrono::seconds{60}, {0.5, 0.95, 0.99}}));
}

TEST(AggregateOptions, WhatMakesNoSenseIsRefusedByName) {
  const auto refusal = [](const AggregateOptions& options) {
    const auto result = check(options);
    return result ? std::string{} : result.error().sentence();
  };
  EXPECT_NE(refusal({nanoseconds{-1}, {}}).find("window"), std::string::npos);
  EXPECT_NE(refusal({nanoseconds{1}, {0}}).find("quantiles"), std::string::npos);
  EXPECT_NE(refusal({nanoseconds{1}, {1}}).find("quantiles"), std::string::npos);
  EXPECT_NE(refusal({nanoseconds{1}, {95}}).find("quantiles"), std::string::npos);
  const std::vector<double> most(AggregateOptions::kQuantilesMax, 0.5);
  EXPECT_EQ(refusal({nanoseconds{1}, most}), "");
  const std::vector<double> one_more(AggregateOptions::kQuantilesMax + 1, 0.5);
  EXPECT_NE(refusal({nanoseconds{1}, one_more}).find("quantiles"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
