// SPDX-License-Identifier: Apache-2.0
// A short run of the campaign, and that its checker fails where something is broken.
#include "tests/campaigns/cuts_campaign.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string text_of(const CutsFigures& figures) {
  std::string text;
  for (const std::string& violation : figures.violations) text += violation + "\n";
  return text;
}

TEST(Cuts, LoseNothingAndAlterNothing) {
  const CutsFigures figures = run_cuts({.seed = 1, .cuts = 600, .pressure_one_in = 1'000});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_EQ(figures.lost, 0U);
  EXPECT_EQ(figures.reused, 0U);
  EXPECT_EQ(figures.lost_told, 0U);
  EXPECT_GT(figures.samples, 10'000U);
  EXPECT_GT(figures.acknowledged, 1'000U);
}

TEST(Cuts, UnderAQuotaThatIsTooSmallAreCountedExactlyByGaps) {
  const CutsFigures figures = run_cuts({.seed = 5, .cuts = 60, .pressure_one_in = 1});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_GT(figures.dropped, 1'000U);
  EXPECT_EQ(figures.lost, 0U);
}

TEST(Cuts, OfADamagedDatabaseAreToldAndReuseNoNumber) {
  const CutsFigures figures = run_cuts({.seed = 4, .cuts = 300, .damages = true, .pressure_one_in = 1'000});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_EQ(figures.reused, 0U);
  EXPECT_GT(figures.lost_told, 0U);
  EXPECT_GT(figures.set_aside, 0U);
}

TEST(Cuts, OfADiskThatLiesAlterNothingAndTheStoreStarts) {
  const CutsFigures figures = run_cuts({.seed = 2, .cuts = 150, .lies_per_thousand = 100, .pressure_one_in = 1'000});
  EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
  EXPECT_GT(figures.lies, 20U);
}

class BrokenCuts : public testing::TestWithParam<CutsBreak> {};

TEST_P(BrokenCuts, AreNoticed) {
  const CutsFigures figures = run_cuts({.seed = 3, .cuts = 2'000, .damages = GetParam() == CutsBreak::late_marks, .broken = GetParam(), .violations_max = 1});
  EXPECT_FALSE(figures.violations.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, BrokenCuts,
                         testing::Values(CutsBreak::no_sync, CutsBreak::early_promise, CutsBreak::early_delete, CutsBreak::late_marks, CutsBreak::forgets_handed_out));

}  // namespace
}  // namespace fieldpost
