// SPDX-License-Identifier: Apache-2.0
#include "hal/host/load.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(LoadSource, GivesThreeAverages) {
  CapturedTree captured;
  captured.file("/proc/loadavg", "16.75 14.32 9.07 1/100 1234\n");
  OpenedSource load{open_load, captured.tree()};
  const std::map<std::string, std::string> expected{
      {"node_load1", "16.75"}, {"node_load5", "14.32"}, {"node_load15", "9.07"}};
  EXPECT_EQ(load.read(), expected);
}

TEST(LoadSource, RefusesWhatIsCut) {
  for (const char* text : {"", "1.0", "1.0 2.0 3.0", "1.0 2.0\n", "a b c\n", "-1.0 2.0 3.0 \n"}) {
    const auto averages = parse_loadavg(text);
    ASSERT_FALSE(averages) << text;
    EXPECT_EQ(averages.error().kind(), ErrorKind::Malformed);
  }
}

}  // namespace
}  // namespace fieldpost
