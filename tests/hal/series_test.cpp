// SPDX-License-Identifier: Apache-2.0
#include "hal/series.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace fieldpost {
namespace {

TEST(Series, TextEscapesLabelValues) {
  const Series series{"m", {{"path", "C:\\x"}, {"words", "a \"b\"\nc"}}, "", SeriesKind::gauge, ""};
  EXPECT_EQ(to_text(series), "m{path=\"C:\\\\x\",words=\"a \\\"b\\\"\\nc\"}");
}

TEST(SeriesTable, GivesTheSameIdToASeriesAddedTwice) {
  SeriesTable table;
  const auto first = table.add({"m", {{"a", "1"}}, "", SeriesKind::gauge, "help"});
  const auto other = table.add({"m", {{"a", "2"}}, "", SeriesKind::gauge, "help"});
  const auto again = table.add({"m", {{"a", "1"}}, "bytes", SeriesKind::counter, "other help"});
  EXPECT_EQ(*first, *again);
  EXPECT_NE(*first, *other);
  EXPECT_EQ(table[*again].help, "help");
}

TEST(SeriesTable, IsFullAtItsMaximumAndCountsWhatItRefused) {
  SeriesTable table;
  for (std::size_t i = 0; i < SeriesTable::kSeriesMax; ++i) {
    ASSERT_TRUE(table.add({"m" + std::to_string(i), {}, "", SeriesKind::gauge, ""}));
  }
  EXPECT_EQ(table.refused(), 0U);
  const auto refused = table.add({"one_more", {}, "", SeriesKind::gauge, ""});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Full);
  EXPECT_EQ(table.refused(), 1U);
  EXPECT_TRUE(table.add({"m7", {}, "", SeriesKind::gauge, ""})) << "a known series is no addition";
  EXPECT_EQ(table.size(), SeriesTable::kSeriesMax);
}

TEST(SeriesTable, MayBeReadWhileAnotherThreadAdds) {
  SeriesTable table;
  std::thread adding{[&] {
    for (int i = 0; i < 2000; ++i) static_cast<void>(table.add({"m" + std::to_string(i), {}, "", SeriesKind::gauge, ""}));
  }};
  std::size_t seen = 0;
  while (seen < 2000) {
    const auto all = table.all();
    if (!all.empty()) {
      ASSERT_EQ(all.back().name, "m" + std::to_string(all.size() - 1));
    }
    seen = all.size();
  }
  adding.join();
}

}  // namespace
}  // namespace fieldpost
