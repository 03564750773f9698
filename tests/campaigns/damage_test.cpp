// SPDX-License-Identifier: Apache-2.0
// A short run of the campaign, and that its checker fails where something is broken.
#include "tests/campaigns/damage_campaign.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::string text_of(const DamageFigures& figures) {
  std::string text;
  for (const std::string& violation : figures.violations) text += violation + "\n";
  return text;
}

TEST(Damage, OfAnyPlaceIsSurvivedAndTold) {
  for (const bool is_written_back : {false, true}) {
    const DamageFigures figures = run_damage({.seed = 1, .count = 100, .is_written_back = is_written_back});
    EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
    EXPECT_EQ(figures.trials, 100U);
    EXPECT_EQ(figures.untold, 0U);
    EXPECT_GT(figures.lost, 0U) << "nothing was really damaged";
    EXPECT_GT(figures.handed_out, 30'000U);
  }
}

TEST(Damage, ThatMakesAFileSomethingElseIsSurvivedAndTold) {
  for (const char* const kind : {"gone", "directory", "fifo"}) {
    const DamageFigures figures = run_damage({.only = kind});
    EXPECT_TRUE(figures.violations.empty()) << text_of(figures);
    EXPECT_GE(figures.trials, 6U) << kind;
    EXPECT_EQ(figures.untold, 0U) << kind;
  }
}

struct Broken {
  DamageBreak what;
  const char* where;  ///< damage that shows it
  const char* said;
};

class BrokenDamage : public testing::TestWithParam<Broken> {};

TEST_P(BrokenDamage, IsNoticed) {
  const DamageFigures figures =
      run_damage({.count = 20'000, .only = GetParam().where, .broken = GetParam().what, .violations_max = 5});
  EXPECT_NE(text_of(figures).find(GetParam().said), std::string::npos) << text_of(figures);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BrokenDamage,
    testing::Values(Broken{DamageBreak::no_crc, "invert:outbox.db:", "has another content than before"},
                    Broken{DamageBreak::no_marks, "cut:outbox.db-wal:", "has another content than before"},
                    Broken{DamageBreak::no_gaps, "cut:outbox.db-wal:", "are not told"},
                    Broken{DamageBreak::half_salvaged, "sector:outbox.db:", "is whole and does not come back"}));

}  // namespace
}  // namespace fieldpost
