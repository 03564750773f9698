// SPDX-License-Identifier: Apache-2.0
// A short run of the campaign, and that its checker fails where something is broken.
#include "tests/campaigns/faults_campaign.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string text_of(const FaultsFigures& figures) {
  std::string text;
  for (const std::string& violation : figures.violations) text += violation + "\n";
  return text;
}

TEST(Faults, OfCallsAndAllocationsLoseNothingAndPass) {
  const FaultsFigures figures = run_faults({.seed = 1, .count = 150});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_GT(figures.calls, 100U);
  EXPECT_GT(figures.c_allocations, 100U);
  EXPECT_GT(figures.allocations, 100U);
  EXPECT_GT(figures.failed_commits, 50U);
  EXPECT_GT(figures.cut, 30U);
}

TEST(Faults, OfOperatorNewEndTheProcessAndLoseNothing) {
  const FaultsFigures figures = run_faults({.seed = 1, .count = 700, .only = "new"});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_GT(figures.deaths, 2U);
}

class BrokenFaults : public testing::TestWithParam<FaultsBreak> {};

TEST_P(BrokenFaults, AreNoticed) {
  const FaultsFigures figures =
      run_faults({.seed = 1, .count = 2'000, .only = "call", .broken = GetParam(), .violations_max = 1});
  EXPECT_FALSE(figures.violations.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, BrokenFaults,
                         testing::Values(FaultsBreak::early_promise, FaultsBreak::forgetful));

}  // namespace
}  // namespace fieldpost
