// SPDX-License-Identifier: Apache-2.0
// The statistics that IEEE 802.3 and RFC 2819 (RMON) define for every Ethernet device, as the kernel's
// ethtool netlink family tells them (Linux 5.13): the same names for every driver that takes part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hal/metric.hpp"
#include "hal/network/netlink.hpp"

namespace fieldpost {

struct EthernetStatistic {
  const Metric* metric;
  std::uint64_t value;
};

struct EthernetStatistics {
  std::string device;
  std::vector<EthernetStatistic> statistics;
};

/// The request ETHTOOL_MSG_STATS_GET for all groups, without its nlmsghdr.
std::vector<std::byte> ethernet_statistics_request();

/// Parses one reply (a genlmsghdr and its attributes); counters we have no name for are left out.
/// Source: linux/ethtool_netlink.h; the kernel's Documentation/networking/ethtool-netlink.rst, STATS_GET
EthernetStatistics parse_ethernet_statistics(std::span<const std::byte> payload);

/// Appends one attribute, padded to 4 bytes.
void append_attribute(std::vector<std::byte>& message, std::uint16_t type, std::span<const std::byte> payload);

}  // namespace fieldpost
