// SPDX-License-Identifier: Apache-2.0
// Form, order and bound of the problem list.
#include "agent/configuration/problem.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(Problem, ReadsLikeACompilersMessage) {
  EXPECT_EQ(to_text(Problem{Problem::Severity::error, "g.toml", 14, "no"}), "g.toml:14: no");
  EXPECT_EQ(to_text(Problem{Problem::Severity::error, "g.toml", 0, "no"}), "g.toml: no");
  EXPECT_EQ(to_text(Problem{Problem::Severity::warning, "g.toml", 3, "hm"}), "g.toml:3: warning: hm");
}

TEST(Problems, AreOrderedByLine) {
  Problems problems{"g.toml"};
  problems.error(9, "later");
  problems.warning(2, "first");
  problems.error(9, "latest");
  EXPECT_EQ(problems.errors(), 2U);
  const auto taken = std::move(problems).take();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].sentence, "first");
  EXPECT_EQ(taken[1].sentence, "later");
  EXPECT_EQ(taken[2].sentence, "latest");
}

TEST(Problems, KnowWhichFileAPlaceIsIn) {
  Problems problems{"g.toml"};
  const int second = problems.add_file("conf.d/a.toml");
  problems.error(place_in(second, 3), "in the second");
  problems.error(place_in(second, 0), "all of the second");
  problems.error(7, "in the first");
  const auto taken = std::move(problems).take();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(to_text(taken[0]), "g.toml:7: in the first");
  EXPECT_EQ(to_text(taken[1]), "conf.d/a.toml: all of the second");
  EXPECT_EQ(to_text(taken[2]), "conf.d/a.toml:3: in the second");
}

TEST(Problems, AreCutOffAtTheirBoundAndSaySo) {
  Problems at_bound{"g.toml"};
  for (std::size_t i = 0; i < Problems::kProblemsMax; ++i) at_bound.error(1, "x");
  EXPECT_EQ(std::move(at_bound).take().size(), Problems::kProblemsMax);

  Problems beyond{"g.toml"};
  for (std::size_t i = 0; i < Problems::kProblemsMax + 2; ++i) beyond.error(1, "x");
  EXPECT_EQ(beyond.errors(), Problems::kProblemsMax + 2);
  const auto taken = std::move(beyond).take();
  ASSERT_EQ(taken.size(), Problems::kProblemsMax + 1);
  EXPECT_EQ(taken.back().sentence, "and 2 more");
}

}  // namespace
}  // namespace fieldpost
