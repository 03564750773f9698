// SPDX-License-Identifier: Apache-2.0
// The process looks at itself; and statm that is not one.
#include "agent/self/process_figures.hpp"

#include <gtest/gtest.h>

#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(ProcessFigures, AreThisProcesss) {
  const auto figures = read_process_figures(FileTree{});
  ASSERT_TRUE(figures) << figures.error().sentence();
  EXPECT_GT(figures->cpu_seconds, 0);
  EXPECT_GT(figures->resident_bytes, 100'000);
  EXPECT_GE(figures->open_descriptors, 3);
  EXPECT_LT(figures->open_descriptors, 1'000);
}

TEST(ProcessFigures, ReadTheSecondNumberOfStatm) {
  EXPECT_EQ(parse_resident_pages("1000 250 3 4 0 5 0\n").value(), 250);
  for (const char* text : {"", "1000", "1000 ", "1000 x", "1000 -1"}) {
    EXPECT_EQ(parse_resident_pages(text).error().kind(), ErrorKind::Malformed) << text;
  }
}

TEST(ProcessFigures, FailWhereThereIsNoProc) {
  const CapturedTree captured;
  EXPECT_FALSE(read_process_figures(captured.tree()));
}

}  // namespace
}  // namespace fieldpost
