// SPDX-License-Identifier: Apache-2.0
#include "hal/network/ethtool.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(Ethtool, IsAbsentFromACapturedTree) {
  const CapturedTree captured;
  const OpenedSource ethtool{open_ethtool, captured.tree()};
  ASSERT_TRUE(ethtool.error);
  EXPECT_EQ(ethtool.error->kind(), ErrorKind::NotPresent);
}

TEST(Ethtool, ReadsTheStatisticsThatWereAskedFor) {
  OpenedSource all{open_ethtool, machine_tree()};
  if (!all.is_open()) GTEST_SKIP() << "SKIPPED: " << all.error->sentence();
  const auto everything = all.read();
  OpenedSource none{open_ethtool, machine_tree(), {{"statistics", std::vector<std::string>{}}}};
  const auto identities = none.read();
  EXPECT_FALSE(identities.empty());
  for (const auto& [series, value] : identities) {
    EXPECT_TRUE(series.starts_with("node_ethtool_info{") || series.starts_with("fieldpost_ethernet_")) << series;
    EXPECT_TRUE(everything.contains(series)) << series;
  }
}

}  // namespace
}  // namespace fieldpost
