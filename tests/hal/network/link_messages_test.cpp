// SPDX-License-Identifier: Apache-2.0
#include "hal/network/link_messages.hpp"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <numeric>
#include <random>

#include "tests/hal/network/netlink_bytes.hpp"

namespace fieldpost {
namespace {

constexpr std::uint16_t kNewLink = RTM_NEWLINK;
constexpr std::uint16_t kNewStats = RTM_NEWSTATS;

/// stats64 whose fields are 1, 2, 3, ... in the kernel's order.
Bytes counting_stats(std::size_t fields) {
  std::vector<std::uint64_t> numbers(fields);
  std::iota(numbers.begin(), numbers.end(), 1U);
  Bytes bytes(fields * sizeof(std::uint64_t));
  std::memcpy(bytes.data(), numbers.data(), bytes.size());
  return bytes;
}

Bytes stats_payload(std::uint32_t index, const Bytes& stats) {
  if_stats_msg header{};
  header.ifindex = index;
  Bytes payload = bytes_of(header);
  add_attribute(payload, IFLA_STATS_LINK_64, stats);
  return payload;
}

TEST(LinkCounters, AreSummedUpAsProcNetDevDoes) {
  const Bytes payload = stats_payload(4, counting_stats(25));
  const auto read = parse_link_counters({kNewStats, 0, 0, 0, payload});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->index, 4U);
  const auto& v = read->counters.values;
  EXPECT_EQ(v[LinkCounters::receive_packets], 1U);
  EXPECT_EQ(v[LinkCounters::transmit_packets], 2U);
  EXPECT_EQ(v[LinkCounters::receive_bytes], 3U);
  EXPECT_EQ(v[LinkCounters::transmit_bytes], 4U);
  EXPECT_EQ(v[LinkCounters::receive_errs], 5U);
  EXPECT_EQ(v[LinkCounters::transmit_errs], 6U);
  EXPECT_EQ(v[LinkCounters::receive_drop], 7U + 16U);
  EXPECT_EQ(v[LinkCounters::transmit_drop], 8U);
  EXPECT_EQ(v[LinkCounters::receive_multicast], 9U);
  EXPECT_EQ(v[LinkCounters::transmit_colls], 10U);
  EXPECT_EQ(v[LinkCounters::receive_frame], 11U + 12U + 13U + 14U);
  EXPECT_EQ(v[LinkCounters::receive_fifo], 15U);
  EXPECT_EQ(v[LinkCounters::transmit_carrier], 17U + 18U + 20U + 21U);
  EXPECT_EQ(v[LinkCounters::transmit_fifo], 19U);
  EXPECT_EQ(v[LinkCounters::receive_compressed], 22U);
  EXPECT_EQ(v[LinkCounters::transmit_compressed], 23U);
  EXPECT_EQ(v[LinkCounters::receive_nohandler], 24U);
}

TEST(LinkCounters, OfAnOlderOrNewerKernelAreReadAsFarAsKnown) {
  const Bytes old_payload = stats_payload(4, counting_stats(23));
  EXPECT_EQ(parse_link_counters({kNewStats, 0, 0, 0, old_payload})->counters.values[LinkCounters::receive_nohandler], 0U);
  const Bytes new_payload = stats_payload(4, counting_stats(40));
  EXPECT_EQ(parse_link_counters({kNewStats, 0, 0, 0, new_payload})->counters.values[LinkCounters::receive_nohandler], 24U);
}

TEST(LinkCounters, ComeWithTheLinkFromKernelsWithoutGetStats) {
  ifinfomsg header{};
  header.ifi_index = 9;
  Bytes payload = bytes_of(header);
  add_attribute(payload, IFLA_STATS64, counting_stats(24));
  const auto read = parse_link_counters({kNewLink, 0, 0, 0, payload});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->index, 9U);
  EXPECT_EQ(read->counters.values[LinkCounters::receive_bytes], 3U);
}

TEST(LinkCounters, AreNothingInAMessageThatIsCut) {
  const Bytes payload = stats_payload(4, counting_stats(24));
  for (std::size_t length = 0; length < payload.size(); ++length) {
    EXPECT_FALSE(parse_link_counters({kNewStats, 0, 0, 0, std::span{payload}.first(length)})) << length;
  }
  EXPECT_FALSE(parse_link_counters({RTM_NEWADDR, 0, 0, 0, payload}));
}

Bytes link_payload(unsigned flags, std::uint8_t operstate, std::uint8_t family = AF_UNSPEC) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = 2;
  header.ifi_type = 1;
  header.ifi_flags = flags;
  Bytes payload = bytes_of(header);
  add_attribute(payload, IFLA_IFNAME, text_bytes("eth0"));
  add_attribute(payload, IFLA_ADDRESS, Bytes{std::byte{0x02}, std::byte{0xfc}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0x0a}});
  add_attribute(payload, IFLA_MTU, bytes_of(std::uint32_t{1400}));
  add_attribute(payload, IFLA_OPERSTATE, bytes_of(operstate));
  add_attribute(payload, IFLA_CARRIER, bytes_of(std::uint8_t{1}));
  add_attribute(payload, IFLA_CARRIER_CHANGES, bytes_of(std::uint32_t{7}));
  add_attribute(payload, IFLA_PROMISCUITY, bytes_of(std::uint32_t{1}));
  add_attribute(payload, 999, bytes_of(std::uint32_t{1}));
  return payload;
}

TEST(LinkAttributes, SpeaksTheLanguageOfSysfs) {
  // UP BROADCAST MULTICAST, and what only rtnetlink says: RUNNING, LOWER_UP.
  const Bytes payload = link_payload(0x1003 | 0x40 | 0x10000, 6);
  const auto state = parse_link_attributes({kNewLink, 0, 0, 0, payload});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->name, "eth0");
  EXPECT_EQ(state->address, "02:fc:00:00:00:0a");
  EXPECT_EQ(state->operstate, "up");
  EXPECT_EQ(state->values[LinkAttributes::up], 1);
  EXPECT_EQ(state->values[LinkAttributes::flags], 0x1103) << "promiscuous by its count";
  EXPECT_EQ(state->values[LinkAttributes::mtu_bytes], 1400);
  EXPECT_EQ(state->values[LinkAttributes::carrier], 1);
  EXPECT_EQ(state->values[LinkAttributes::dormant], 0);
  EXPECT_EQ(state->values[LinkAttributes::carrier_changes], 7);
  EXPECT_EQ(state->values[LinkAttributes::iface_link], 2) << "itself, when nothing is below it";
  EXPECT_EQ(state->values[LinkAttributes::carrier_up_changes], std::nullopt);
}

TEST(LinkAttributes, HasNoCarrierWhileTheLinkIsSwitchedOff) {
  const Bytes payload = link_payload(0x1002, 2);
  const auto state = parse_link_attributes({kNewLink, 0, 0, 0, payload});
  ASSERT_TRUE(state);
  EXPECT_EQ(state->operstate, "down");
  EXPECT_EQ(state->values[LinkAttributes::up], 0);
  EXPECT_EQ(state->values[LinkAttributes::carrier], std::nullopt);
  EXPECT_EQ(state->values[LinkAttributes::dormant], std::nullopt);
}

TEST(LinkAttributes, IsNothingForBridgePortsAndForGarbage) {
  const Bytes bridge = link_payload(3, 6, AF_BRIDGE);
  EXPECT_FALSE(parse_link_attributes({kNewLink, 0, 0, 0, bridge}));
  const Bytes payload = link_payload(3, 200);
  EXPECT_EQ(parse_link_attributes({kNewLink, 0, 0, 0, payload})->operstate, "unknown");
  EXPECT_FALSE(parse_link_attributes({kNewStats, 0, 0, 0, payload}));
  for (std::size_t length = 0; length < payload.size(); ++length) {
    static_cast<void>(parse_link_attributes({kNewLink, 0, 0, 0, std::span{payload}.first(length)}));
  }
}

}  // namespace
}  // namespace fieldpost
