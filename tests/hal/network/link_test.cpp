// SPDX-License-Identifier: Apache-2.0
#include "hal/network/link.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(Operstate, HasTheWordsOfSysfs) {
  EXPECT_EQ(operstate_word(0), "unknown");
  EXPECT_EQ(operstate_word(3), "lowerlayerdown");
  EXPECT_EQ(operstate_word(6), "up");
  EXPECT_EQ(operstate_word(7), "unknown");
  EXPECT_EQ(operstate_word(255), "unknown");
}

TEST(LinkFilter, MatchesShellPatterns) {
  const LinkFilter filter{{"veth*", "docker?"}};
  EXPECT_FALSE(filter.wants("veth12ab"));
  EXPECT_FALSE(filter.wants("docker0"));
  EXPECT_TRUE(filter.wants("docker10"));
  EXPECT_TRUE(filter.wants("eth0"));
  EXPECT_TRUE(LinkFilter{{}}.wants("veth0"));
}

TEST(LinkSeries, DoNotAddSeriesWhileTheStateStaysTheSame) {
  SeriesTable table;
  auto link = LinkSeries::add(table, "eth0");
  ASSERT_TRUE(link);
  LinkAttributes state;
  state.name = "eth0";
  state.values[LinkAttributes::mtu_bytes] = 1500;
  state.operstate = "up";
  link->set_state(table, state);
  const std::size_t size = table.size();
  EXPECT_EQ(size, LinkCounters::field_count + 2) << "the counters, the MTU and the info";
  link->set_state(table, state);
  EXPECT_EQ(table.size(), size);
  state.operstate = "down";
  link->set_state(table, state);
  EXPECT_EQ(table.size(), size + 1) << "the info with another label";
}

}  // namespace
}  // namespace fieldpost
