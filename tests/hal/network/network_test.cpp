// SPDX-License-Identifier: Apache-2.0
#include "hal/network/network.hpp"

#include <cstdlib>

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

// A test may run in a sandbox without netlink.
#define SKIP_WITHOUT_NETLINK(source) \
  if (!(source).is_open()) GTEST_SKIP() << "SKIPPED: no rtnetlink here: " << (source).error->sentence()

TEST(Network, FromTheKernelAndFromFilesGiveTheSameSeriesAndValues) {
  OpenedSource kernel{open_network_from_kernel, machine_tree()};
  SKIP_WITHOUT_NETLINK(kernel);
  OpenedSource files{open_network_from_files, machine_tree()};
  const auto first = kernel.read();
  const auto between = files.read();
  const auto last = kernel.read();
  ASSERT_FALSE(first.empty());
  ASSERT_EQ(first.size(), between.size());
  const auto number = [](const std::string& text) { return std::strtod(text.c_str(), nullptr); };
  for (const auto& [series, value] : between) {
    ASSERT_TRUE(first.contains(series)) << series;
    EXPECT_LE(number(first.at(series)), number(value)) << series;
    EXPECT_LE(number(value), number(last.at(series))) << series;
  }
  for (std::size_t i = 0; i < kernel.series.size(); ++i) {
    const Series& series = kernel.series.all()[i];
    const Series& same = files.series[*files.series.add(series)];
    EXPECT_EQ(series.kind, same.kind) << series.name;
    EXPECT_EQ(series.help, same.help) << series.name;
    EXPECT_EQ(series.unit, same.unit) << series.name;
  }
  EXPECT_EQ(kernel.series.size(), files.series.size());
}

TEST(Network, StateIsAskedAgainOnlyWhenItIsDue) {
  OpenedSource kernel{open_network_from_kernel, machine_tree()};
  SKIP_WITHOUT_NETLINK(kernel);
  const auto first = kernel.read(BootTime{seconds{1}});
  EXPECT_EQ(kernel.read(BootTime{seconds{2}}).size(), first.size());
  EXPECT_EQ(kernel.read(BootTime{seconds{40}}).size(), first.size());
}

TEST(Network, LeavesOutExcludedLinks) {
  OpenedSource kernel{open_network, machine_tree(), {{"exclude", std::vector<std::string>{"l?"}}}};
  for (const auto& [series, value] : kernel.read()) {
    EXPECT_EQ(series.find("device=\"lo\""), std::string::npos) << series;
  }
}

class CapturedNetwork : public ::testing::Test {
 protected:
  static std::string line(const std::string& device, const std::string& bytes) {
    return device + ": " + bytes + " 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  }
  CapturedTree captured;
};

TEST_F(CapturedNetwork, GivesCountersAndState) {
  captured.file("/proc/net/dev", "heading\nheading\n" + line("eth0", "100"))
      .file("/sys/class/net/eth0/operstate", "up\n")
      .file("/sys/class/net/eth0/flags", "0x1003\n")
      .file("/sys/class/net/eth0/statistics/rx_nohandler", "5\n");
  OpenedSource network{open_network, captured.tree()};
  auto values = network.read();
  EXPECT_EQ(values.at("node_network_receive_bytes_total{device=\"eth0\"}"), "100");
  EXPECT_EQ(values.at("node_network_receive_nohandler_total{device=\"eth0\"}"), "5");
  EXPECT_EQ(values.at("node_network_up{device=\"eth0\"}"), "1");
  EXPECT_TRUE(values.contains("node_network_info{address=\"\",adminstate=\"up\",broadcast=\"\",device=\"eth0\",duplex=\"\",ifalias=\"\",operstate=\"up\"}"));

  captured.file("/sys/class/net/eth0/operstate", "down\n");
  values = network.read();
  EXPECT_EQ(values.at("node_network_up{device=\"eth0\"}"), "0");
  EXPECT_FALSE(values.contains("node_network_info{address=\"\",adminstate=\"up\",broadcast=\"\",device=\"eth0\",duplex=\"\",ifalias=\"\",operstate=\"up\"}"))
      << "the old labels are no longer passed on";
}

TEST_F(CapturedNetwork, FollowsLinksThatComeAndGo) {
  captured.file("/proc/net/dev", line("eth0", "1") + line("wlan0", "2"));
  OpenedSource network{open_network, captured.tree()};
  network.read();
  captured.file("/proc/net/dev", line("usb0", "7") + line("wlan0", "3") + line("veth12ab", "4"));
  const auto values = network.read();
  EXPECT_FALSE(values.contains("node_network_receive_bytes_total{device=\"eth0\"}"));
  EXPECT_EQ(values.at("node_network_receive_bytes_total{device=\"usb0\"}"), "7");
  EXPECT_EQ(values.at("node_network_receive_bytes_total{device=\"wlan0\"}"), "3");
  EXPECT_FALSE(values.contains("node_network_receive_bytes_total{device=\"veth12ab\"}")) << "by default";
}

}  // namespace
}  // namespace fieldpost
