// SPDX-License-Identifier: Apache-2.0
#include "hal/network/link_files.hpp"

#include <gtest/gtest.h>

#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(NetDevLine, IsReadWithOrWithoutABlankAfterTheColon) {
  TextScanner scan{
      "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n"
      "  eth0:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n    lo: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"};
  EXPECT_FALSE(parse_net_dev_line(scan));
  EXPECT_FALSE(parse_net_dev_line(scan));
  const auto eth0 = parse_net_dev_line(scan);
  ASSERT_TRUE(eth0);
  EXPECT_EQ(eth0->device, "eth0");
  EXPECT_EQ(eth0->counters.values[LinkCounters::receive_bytes], 18446744073709551615U);
  EXPECT_EQ(eth0->counters.values[LinkCounters::receive_multicast], 8U);
  EXPECT_EQ(eth0->counters.values[LinkCounters::transmit_bytes], 9U);
  EXPECT_EQ(eth0->counters.values[LinkCounters::transmit_compressed], 16U);
  EXPECT_EQ(parse_net_dev_line(scan)->device, "lo");
  EXPECT_TRUE(scan.at_end());
}

TEST(NetDevLine, IsNothingWhenCutOrHuge) {
  for (const char* text : {"eth0: 1 2 3\n", "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", ":1 2\n", "eth0\n", "",
                           "eth0: 99999999999999999999 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"}) {
    TextScanner scan{text};
    EXPECT_FALSE(parse_net_dev_line(scan)) << text;
    EXPECT_TRUE(scan.at_end()) << text;
  }
}

TEST(LinkAttributes, FromFilesKnowsHexadecimalFlagsAndUnknownSpeed) {
  CapturedTree captured;
  captured.file("/sys/class/net/eth0/flags", "0x1003\n")
      .file("/sys/class/net/eth0/speed", "-1\n")
      .file("/sys/class/net/eth0/operstate", "up\n")
      .file("/sys/class/net/eth0/dev_id", "0xzz\n")
      .file("/sys/class/net/eth0/mtu", "1500\n");
  LinkAttributes state = read_link_attributes(captured.tree(), "eth0");
  EXPECT_EQ(state.values[LinkAttributes::flags], 0x1003);
  EXPECT_EQ(state.values[LinkAttributes::speed_bytes], std::nullopt) << "a made-up speed is worse than none";
  EXPECT_EQ(state.values[LinkAttributes::device_id], std::nullopt);
  EXPECT_EQ(state.values[LinkAttributes::carrier], std::nullopt);
  EXPECT_EQ(state.values[LinkAttributes::up], 1);
  captured.file("/sys/class/net/eth0/speed", "4294967295\n");
  add_link_attributes(captured.tree(), state);
  EXPECT_EQ(state.values[LinkAttributes::speed_bytes], std::nullopt);
  captured.file("/sys/class/net/eth0/speed", "1000\n");
  add_link_attributes(captured.tree(), state);
  EXPECT_EQ(state.values[LinkAttributes::speed_bytes], 125'000'000);
}

}  // namespace
}  // namespace fieldpost
