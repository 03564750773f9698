// SPDX-License-Identifier: Apache-2.0
// Parsing RTM_NEWSTATS and RTM_NEWLINK.
#include "hal/network/link_messages.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>

namespace fieldpost {
namespace {

// sysfs shows a device's own flags; rtnetlink adds what it worked out (RUNNING, LOWER_UP, DORMANT) and
// shows PROMISC and ALLMULTI only when a user asked for them. So those are taken out, and the two
// are put back from their reference counts.
constexpr std::int64_t kFlagsWorkedOut =
    IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT | IFF_PROMISC | IFF_ALLMULTI;

// Newer than the headers some of our targets are built with.
constexpr std::uint16_t kIflaAllmulti = 61;

std::span<const std::byte> after(std::span<const std::byte> payload, std::size_t header_bytes) {
  return payload.subspan(std::min(payload.size(), (header_bytes + 3) & ~std::size_t{3}));
}

LinkCounters sum_up(std::span<const std::byte> payload) {
  // An older kernel sends a shorter struct; what it does not have stays 0.
  rtnl_link_stats64 stats{};
  std::memcpy(&stats, payload.data(), std::min(payload.size(), sizeof(stats)));
  LinkCounters counters;
  auto& v = counters.values;
  v[LinkCounters::receive_bytes] = stats.rx_bytes;
  v[LinkCounters::receive_packets] = stats.rx_packets;
  v[LinkCounters::receive_errs] = stats.rx_errors;
  v[LinkCounters::receive_drop] = stats.rx_dropped + stats.rx_missed_errors;
  v[LinkCounters::receive_fifo] = stats.rx_fifo_errors;
  v[LinkCounters::receive_frame] =
      stats.rx_length_errors + stats.rx_over_errors + stats.rx_crc_errors + stats.rx_frame_errors;
  v[LinkCounters::receive_compressed] = stats.rx_compressed;
  v[LinkCounters::receive_multicast] = stats.multicast;
  v[LinkCounters::transmit_bytes] = stats.tx_bytes;
  v[LinkCounters::transmit_packets] = stats.tx_packets;
  v[LinkCounters::transmit_errs] = stats.tx_errors;
  v[LinkCounters::transmit_drop] = stats.tx_dropped;
  v[LinkCounters::transmit_fifo] = stats.tx_fifo_errors;
  v[LinkCounters::transmit_colls] = stats.collisions;
  v[LinkCounters::transmit_carrier] = stats.tx_carrier_errors + stats.tx_aborted_errors +
                                      stats.tx_window_errors + stats.tx_heartbeat_errors;
  v[LinkCounters::transmit_compressed] = stats.tx_compressed;
  v[LinkCounters::receive_nohandler] = stats.rx_nohandler;
  return counters;
}

std::string hardware_address(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    if (!text.empty()) text += ':';
    text += kDigits[std::to_integer<std::size_t>(byte) >> 4U];
    text += kDigits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

template <typename Number>
void set(std::optional<std::int64_t>& value, const NetlinkAttributes::Attribute& attribute) {
  if (const auto number = attribute.as<Number>()) value = static_cast<std::int64_t>(*number);
}

}  // namespace

std::optional<IndexedCounters> parse_link_counters(const NetlinkMessage& message) {
  std::size_t header_bytes = 0;
  std::uint16_t wanted = 0;
  IndexedCounters found;
  if (message.type == RTM_NEWSTATS && message.payload.size() >= sizeof(if_stats_msg)) {
    if_stats_msg header{};
    std::memcpy(&header, message.payload.data(), sizeof(header));
    found.index = header.ifindex;
    header_bytes = sizeof(header);
    wanted = IFLA_STATS_LINK_64;
  } else if (message.type == RTM_NEWLINK && message.payload.size() >= sizeof(ifinfomsg)) {
    ifinfomsg header{};
    std::memcpy(&header, message.payload.data(), sizeof(header));
    found.index = static_cast<std::uint32_t>(header.ifi_index);
    header_bytes = sizeof(header);
    wanted = IFLA_STATS64;
  } else {
    return std::nullopt;
  }
  NetlinkAttributes attributes{after(message.payload, header_bytes)};
  while (const auto attribute = attributes.next()) {
    if (attribute->type != wanted) continue;
    found.counters = sum_up(attribute->payload);
    return found;
  }
  return std::nullopt;
}

std::optional<LinkAttributes> parse_link_attributes(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK || message.payload.size() < sizeof(ifinfomsg)) return std::nullopt;
  ifinfomsg header{};
  std::memcpy(&header, message.payload.data(), sizeof(header));
  // AF_BRIDGE messages are about a port's place in its bridge, not about the link.
  if (header.ifi_family != AF_UNSPEC) return std::nullopt;

  LinkAttributes state;
  auto& v = state.values;
  const std::int64_t all_flags = header.ifi_flags;
  std::int64_t own_flags = all_flags & ~kFlagsWorkedOut;
  v[LinkAttributes::iface_id] = header.ifi_index;
  v[LinkAttributes::iface_link] = header.ifi_index;  // unless IFLA_LINK says otherwise
  v[LinkAttributes::protocol_type] = header.ifi_type;
  std::optional<std::int64_t> carrier;
  NetlinkAttributes attributes{after(message.payload, sizeof(header))};
  while (const auto attribute = attributes.next()) {
    switch (attribute->type) {
      case IFLA_IFNAME: state.name = attribute->text(); break;
      case IFLA_ADDRESS: state.address = hardware_address(attribute->payload); break;
      case IFLA_BROADCAST: state.broadcast = hardware_address(attribute->payload); break;
      case IFLA_IFALIAS: state.alias = attribute->text(); break;
      case IFLA_OPERSTATE:
        state.operstate = operstate_word(attribute->as<std::uint8_t>().value_or(0));
        break;
      case IFLA_MTU: set<std::uint32_t>(v[LinkAttributes::mtu_bytes], *attribute); break;
      case IFLA_LINK: set<std::uint32_t>(v[LinkAttributes::iface_link], *attribute); break;
      case IFLA_TXQLEN: set<std::uint32_t>(v[LinkAttributes::transmit_queue_length], *attribute); break;
      case IFLA_GROUP: set<std::uint32_t>(v[LinkAttributes::net_dev_group], *attribute); break;
      case IFLA_LINKMODE: set<std::uint8_t>(v[LinkAttributes::iface_link_mode], *attribute); break;
      case IFLA_CARRIER: set<std::uint8_t>(carrier, *attribute); break;
      case IFLA_CARRIER_CHANGES: set<std::uint32_t>(v[LinkAttributes::carrier_changes], *attribute); break;
      case IFLA_CARRIER_UP_COUNT: set<std::uint32_t>(v[LinkAttributes::carrier_up_changes], *attribute); break;
      case IFLA_CARRIER_DOWN_COUNT: set<std::uint32_t>(v[LinkAttributes::carrier_down_changes], *attribute); break;
      case IFLA_PROMISCUITY:
        if (attribute->as<std::uint32_t>().value_or(0) > 0) own_flags |= IFF_PROMISC;
        break;
      case kIflaAllmulti:
        if (attribute->as<std::uint32_t>().value_or(0) > 0) own_flags |= IFF_ALLMULTI;
        break;
      default: break;
    }
  }
  if (state.name.empty()) return std::nullopt;
  v[LinkAttributes::flags] = own_flags;
  // sysfs refuses to name the carrier of a link that is switched off; so do we.
  if ((own_flags & kLinkFlagUp) != 0) {
    v[LinkAttributes::carrier] = carrier;
    v[LinkAttributes::dormant] = (all_flags & IFF_DORMANT) != 0 ? 1 : 0;
  }
  v[LinkAttributes::up] = state.operstate == "up" ? 1 : 0;
  return state;
}

}  // namespace fieldpost
