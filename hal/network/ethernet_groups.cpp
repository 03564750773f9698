// SPDX-License-Identifier: Apache-2.0
// Ethernet standard statistics: the table of names and the messages.
#include "hal/network/ethernet_groups.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>

namespace fieldpost {
namespace {

// From linux/ethtool_netlink.h and linux/ethtool.h; spelled out, for some targets' headers are older.
constexpr std::uint8_t kStatsGet = 32;
constexpr std::uint16_t kStatsHeader = 2, kStatsGroups = 3, kStatsGroup = 4;
constexpr std::uint16_t kGroupId = 2, kGroupStatistic = 4;
constexpr std::uint16_t kHeaderDeviceName = 2;
constexpr std::uint16_t kBitsetNoMask = 1, kBitsetSize = 2, kBitsetValue = 4;
constexpr std::uint32_t kGroupCount = 4;

struct Row {
  std::uint32_t group;
  std::uint32_t statistic;
  Metric metric;
};

constexpr auto kCounter = SeriesKind::counter;
constexpr std::array<Row, 30> kRows{{
    {0, 0, {"fieldpost_ethernet_phy_symbol_errors_total", "Symbol errors during carrier (802.3 30.3.2.1.5).", "", kCounter}},
    {1, 0, {"fieldpost_ethernet_mac_transmit_frames_total", "Frames transmitted without error (802.3 30.3.1.1.2).", "", kCounter}},
    {1, 1, {"fieldpost_ethernet_mac_single_collisions_total", "Frames sent after one collision (802.3 30.3.1.1.3).", "", kCounter}},
    {1, 2, {"fieldpost_ethernet_mac_multiple_collisions_total", "Frames sent after several collisions (802.3 30.3.1.1.4).", "", kCounter}},
    {1, 3, {"fieldpost_ethernet_mac_receive_frames_total", "Frames received without error (802.3 30.3.1.1.5).", "", kCounter}},
    {1, 4, {"fieldpost_ethernet_mac_fcs_errors_total", "Frames with a wrong check sequence (802.3 30.3.1.1.6).", "", kCounter}},
    {1, 5, {"fieldpost_ethernet_mac_alignment_errors_total", "Frames that were no whole number of octets (802.3 30.3.1.1.7).", "", kCounter}},
    {1, 6, {"fieldpost_ethernet_mac_transmit_bytes_total", "Octets transmitted (802.3 30.3.1.1.8).", "bytes", kCounter}},
    {1, 7, {"fieldpost_ethernet_mac_deferred_total", "Frames deferred because the medium was busy (802.3 30.3.1.1.9).", "", kCounter}},
    {1, 8, {"fieldpost_ethernet_mac_late_collisions_total", "Collisions after the slot time: a duplex mismatch (802.3 30.3.1.1.10).", "", kCounter}},
    {1, 9, {"fieldpost_ethernet_mac_excess_collisions_total", "Frames given up after too many collisions (802.3 30.3.1.1.11).", "", kCounter}},
    {1, 10, {"fieldpost_ethernet_mac_transmit_internal_errors_total", "Frames lost to an internal transmit error (802.3 30.3.1.1.12).", "", kCounter}},
    {1, 11, {"fieldpost_ethernet_mac_carrier_sense_errors_total", "Carrier lost or absent while transmitting (802.3 30.3.1.1.13).", "", kCounter}},
    {1, 12, {"fieldpost_ethernet_mac_receive_bytes_total", "Octets received (802.3 30.3.1.1.14).", "bytes", kCounter}},
    {1, 13, {"fieldpost_ethernet_mac_receive_internal_errors_total", "Frames lost to an internal receive error (802.3 30.3.1.1.15).", "", kCounter}},
    {1, 14, {"fieldpost_ethernet_mac_transmit_multicast_total", "Multicast frames transmitted (802.3 30.3.1.1.18).", "", kCounter}},
    {1, 15, {"fieldpost_ethernet_mac_transmit_broadcast_total", "Broadcast frames transmitted (802.3 30.3.1.1.19).", "", kCounter}},
    {1, 16, {"fieldpost_ethernet_mac_excess_deferral_total", "Frames deferred for too long (802.3 30.3.1.1.20).", "", kCounter}},
    {1, 17, {"fieldpost_ethernet_mac_receive_multicast_total", "Multicast frames received (802.3 30.3.1.1.21).", "", kCounter}},
    {1, 18, {"fieldpost_ethernet_mac_receive_broadcast_total", "Broadcast frames received (802.3 30.3.1.1.22).", "", kCounter}},
    {1, 19, {"fieldpost_ethernet_mac_in_range_length_errors_total", "Frames whose length field disagreed (802.3 30.3.1.1.23).", "", kCounter}},
    {1, 20, {"fieldpost_ethernet_mac_out_of_range_length_total", "Frames with a length beyond the maximum (802.3 30.3.1.1.24).", "", kCounter}},
    {1, 21, {"fieldpost_ethernet_mac_too_long_total", "Frames longer than permitted (802.3 30.3.1.1.25).", "", kCounter}},
    {2, 0, {"fieldpost_ethernet_control_transmit_frames_total", "MAC control frames transmitted (802.3 30.3.3.3).", "", kCounter}},
    {2, 1, {"fieldpost_ethernet_control_receive_frames_total", "MAC control frames received (802.3 30.3.3.4).", "", kCounter}},
    {2, 2, {"fieldpost_ethernet_control_unsupported_total", "MAC control frames with an unknown operation (802.3 30.3.3.5).", "", kCounter}},
    {3, 0, {"fieldpost_ethernet_rmon_undersize_total", "Packets shorter than 64 octets (RFC 2819).", "", kCounter}},
    {3, 1, {"fieldpost_ethernet_rmon_oversize_total", "Packets longer than the maximum (RFC 2819).", "", kCounter}},
    {3, 2, {"fieldpost_ethernet_rmon_fragments_total", "Short packets with a bad check sequence (RFC 2819).", "", kCounter}},
    {3, 3, {"fieldpost_ethernet_rmon_jabbers_total", "Long packets with a bad check sequence (RFC 2819).", "", kCounter}},
}};

const Metric* find_metric(std::uint32_t group, std::uint32_t statistic) {
  for (const Row& row : kRows) {
    if (row.group == group && row.statistic == statistic) return &row.metric;
  }
  return nullptr;
}

void parse_group(std::span<const std::byte> payload, std::vector<EthernetStatistic>& statistics) {
  std::optional<std::uint32_t> group;
  NetlinkAttributes attributes{payload};
  while (const auto attribute = attributes.next()) {
    if (attribute->type == kGroupId) group = attribute->as<std::uint32_t>();
    if (attribute->type != kGroupStatistic || !group) continue;
    NetlinkAttributes values{attribute->payload};
    while (const auto value = values.next()) {
      const auto number = value->as<std::uint64_t>();
      const Metric* metric = find_metric(*group, value->type);
      if (number && metric != nullptr) statistics.push_back({metric, *number});
    }
  }
}

}  // namespace

void append_attribute(std::vector<std::byte>& message, std::uint16_t type,
                      std::span<const std::byte> payload) {
  const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type};
  const auto bytes = std::as_bytes(std::span{&header, 1});
  message.insert(message.end(), bytes.begin(), bytes.end());
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize((message.size() + 3) & ~std::size_t{3});
}

std::vector<std::byte> ethernet_statistics_request() {
  const std::uint32_t group_count = kGroupCount;
  const std::uint32_t all_groups = (1U << kGroupCount) - 1;
  std::vector<std::byte> groups;
  append_attribute(groups, kBitsetNoMask, {});
  append_attribute(groups, kBitsetSize, std::as_bytes(std::span{&group_count, 1}));
  append_attribute(groups, kBitsetValue, std::as_bytes(std::span{&all_groups, 1}));

  std::vector<std::byte> request(sizeof(genlmsghdr));
  const genlmsghdr header{kStatsGet, 1, 0};
  std::memcpy(request.data(), &header, sizeof(header));
  append_attribute(request, kStatsHeader | NLA_F_NESTED, {});
  append_attribute(request, kStatsGroups | NLA_F_NESTED, groups);
  return request;
}

EthernetStatistics parse_ethernet_statistics(std::span<const std::byte> payload) {
  EthernetStatistics parsed;
  if (payload.size() < sizeof(genlmsghdr)) return parsed;
  NetlinkAttributes attributes{payload.subspan(sizeof(genlmsghdr))};
  while (const auto attribute = attributes.next()) {
    if (attribute->type == kStatsHeader) {
      NetlinkAttributes header{attribute->payload};
      while (const auto part = header.next()) {
        if (part->type == kHeaderDeviceName) parsed.device = part->text();
      }
    } else if (attribute->type == kStatsGroup) {
      parse_group(attribute->payload, parsed.statistics);
    }
  }
  return parsed;
}

}  // namespace fieldpost
