// SPDX-License-Identifier: Apache-2.0
// A short run of the campaign, and that its checker fails where something is broken.
#include "tests/campaigns/clocks_campaign.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string text_of(const ClocksFigures& figures) {
  std::string text;
  for (const std::string& violation : figures.violations) text += violation + "\n";
  return text;
}

TEST(Clocks, OfAnyKindGiveReadingsATimeThatIsRightOrSaysHowWrongItMayBe) {
  const ClocksFigures figures = run_clocks({.seed = 1, .scenes = 60});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_GT(figures.sent_trusted, 100U);
  EXPECT_GT(figures.sent_untrusted, 20U);
  EXPECT_GT(figures.corrected, 20U);
}

class ClocksChecker : public testing::TestWithParam<ClocksBreak> {};

TEST_P(ClocksChecker, FailsWhenSomethingIsBroken) {
  EXPECT_FALSE(run_clocks({.seed = 1, .scenes = 60, .broken = GetParam()}).violations.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, ClocksChecker,
                         testing::Values(ClocksBreak::believe, ClocksBreak::stamp_at_once, ClocksBreak::no_drift, ClocksBreak::forget_floor));

}  // namespace
}  // namespace fieldpost
