// SPDX-License-Identifier: Apache-2.0
// No adapter here has these statistics, so the replies are put together from the kernel's own description.
#include "hal/network/ethernet_groups.hpp"

#include <gtest/gtest.h>
#include <linux/genetlink.h>

#include "tests/hal/network/netlink_bytes.hpp"

namespace fieldpost {
namespace {

Bytes statistic(std::uint16_t number, std::uint64_t value) {
  Bytes attribute;
  add_attribute(attribute, number, bytes_of(value));
  return attribute;
}

Bytes reply() {
  Bytes header;
  add_attribute(header, 1, bytes_of(std::uint32_t{2}));
  add_attribute(header, 2, text_bytes("eth0"));
  Bytes mac;
  add_attribute(mac, 2, bytes_of(std::uint32_t{1}));
  add_attribute(mac, 3, bytes_of(std::uint32_t{17}));
  add_attribute(mac, 4 | NLA_F_NESTED, statistic(4, 12));
  add_attribute(mac, 4 | NLA_F_NESTED, statistic(8, 18446744073709551615U));
  add_attribute(mac, 4 | NLA_F_NESTED, statistic(99, 1));  // of a later kernel
  Bytes rmon;
  add_attribute(rmon, 2, bytes_of(std::uint32_t{3}));
  add_attribute(rmon, 5 | NLA_F_NESTED, statistic(9, 3));  // a histogram
  add_attribute(rmon, 4 | NLA_F_NESTED, statistic(3, 7));
  Bytes payload = bytes_of(genlmsghdr{33, 1, 0});
  add_attribute(payload, 2 | NLA_F_NESTED, header);
  add_attribute(payload, 4 | NLA_F_NESTED, mac);
  add_attribute(payload, 4 | NLA_F_NESTED, rmon);
  return payload;
}

TEST(EthernetStatistics, AreNamedByTheStandard) {
  const Bytes payload = reply();
  const EthernetStatistics parsed = parse_ethernet_statistics(payload);
  EXPECT_EQ(parsed.device, "eth0");
  ASSERT_EQ(parsed.statistics.size(), 3U);
  EXPECT_EQ(parsed.statistics[0].metric->name, "fieldpost_ethernet_mac_fcs_errors_total");
  EXPECT_EQ(parsed.statistics[0].value, 12U);
  EXPECT_EQ(parsed.statistics[1].metric->name, "fieldpost_ethernet_mac_late_collisions_total");
  EXPECT_EQ(parsed.statistics[1].value, 18446744073709551615U);
  EXPECT_EQ(parsed.statistics[2].metric->name, "fieldpost_ethernet_rmon_jabbers_total");
}

TEST(EthernetStatistics, OfACutReplyAreFewerButNeverWrong) {
  const Bytes payload = reply();
  for (std::size_t length = 0; length < payload.size(); ++length) {
    const auto parsed = parse_ethernet_statistics(std::span{payload}.first(length));
    EXPECT_LE(parsed.statistics.size(), 3U);
    if (!parsed.statistics.empty()) {
      EXPECT_EQ(parsed.statistics[0].value, 12U);
    }
  }
}

TEST(EthernetStatistics, RequestAsksForAllGroupsWithoutAMask) {
  const Bytes request = ethernet_statistics_request();
  NetlinkAttributes attributes{std::span{request}.subspan(sizeof(genlmsghdr))};
  EXPECT_EQ(attributes.next()->type, 2) << "an empty header: every device";
  const auto groups = attributes.next();
  ASSERT_TRUE(groups);
  EXPECT_EQ(groups->type, 3);
  NetlinkAttributes bits{groups->payload};
  EXPECT_EQ(bits.next()->type, 1);
  EXPECT_EQ(bits.next()->as<std::uint32_t>(), 4U);
  EXPECT_EQ(bits.next()->as<std::uint32_t>(), 15U);
}

}  // namespace
}  // namespace fieldpost
