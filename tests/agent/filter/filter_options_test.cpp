// SPDX-License-Identifier: Apache-2.0
#include "agent/filter/filter_options.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string_view>

namespace fieldpost {
namespace {

void expect_refused(std::string_view word, const std::function<void(FilterOptions&)>& spoil) {
  FilterOptions options;
  options.deadband.emplace();
  ASSERT_TRUE(check(options));
  spoil(options);
  const auto result = check(options);
  ASSERT_FALSE(result) << word;
  EXPECT_EQ(result.error().kind(), ErrorKind::OutOfRange);
  EXPECT_NE(result.error().sentence().find(word), std::string::npos) << result.error().sentence();
}

TEST(FilterOptions, DefaultsAreAllowed) { EXPECT_TRUE(check(FilterOptions{})); }

TEST(FilterOptions, WhatMakesNoSenseIsRefusedByName) {
  expect_refused("scale", [](FilterOptions& o) { o.scale = 0; });
  expect_refused("scale", [](FilterOptions& o) { o.scale = std::nan(""); });
  expect_refused("offset", [](FilterOptions& o) { o.offset = HUGE_VAL; });
  expect_refused("valid_range", [](FilterOptions& o) { o.valid_range = {2, 1}; });
  expect_refused("valid_range", [](FilterOptions& o) { o.valid_range = {std::nan(""), 1}; });
  expect_refused("absolute", [](FilterOptions& o) { o.deadband->absolute = -1; });
  expect_refused("relative", [](FilterOptions& o) { o.deadband->relative = -0.1; });
  expect_refused("heartbeat", [](FilterOptions& o) { o.deadband->heartbeat = nanoseconds{-1}; });
  expect_refused("interval_min", [](FilterOptions& o) { o.interval_min = nanoseconds{-1}; });
}

}  // namespace
}  // namespace fieldpost
