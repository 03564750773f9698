// SPDX-License-Identifier: Apache-2.0
// The series of a link.
#include "hal/network/link.hpp"

#include "hal/metric.hpp"
#include "platform/glob.hpp"

namespace fieldpost {
namespace {

constexpr auto kCounter = SeriesKind::counter;
constexpr auto kState = SeriesKind::state;

constexpr std::array<Metric, LinkCounters::field_count> kCounters{{
    {"node_network_receive_bytes_total", "Network device statistic receive_bytes.", "bytes", kCounter},
    {"node_network_receive_packets_total", "Network device statistic receive_packets.", "", kCounter},
    {"node_network_receive_errs_total", "Network device statistic receive_errs.", "", kCounter},
    {"node_network_receive_drop_total", "Network device statistic receive_drop.", "", kCounter},
    {"node_network_receive_fifo_total", "Network device statistic receive_fifo.", "", kCounter},
    {"node_network_receive_frame_total", "Network device statistic receive_frame.", "", kCounter},
    {"node_network_receive_compressed_total", "Network device statistic receive_compressed.", "", kCounter},
    {"node_network_receive_multicast_total", "Network device statistic receive_multicast.", "", kCounter},
    {"node_network_transmit_bytes_total", "Network device statistic transmit_bytes.", "bytes", kCounter},
    {"node_network_transmit_packets_total", "Network device statistic transmit_packets.", "", kCounter},
    {"node_network_transmit_errs_total", "Network device statistic transmit_errs.", "", kCounter},
    {"node_network_transmit_drop_total", "Network device statistic transmit_drop.", "", kCounter},
    {"node_network_transmit_fifo_total", "Network device statistic transmit_fifo.", "", kCounter},
    {"node_network_transmit_colls_total", "Network device statistic transmit_colls.", "", kCounter},
    {"node_network_transmit_carrier_total", "Network device statistic transmit_carrier.", "", kCounter},
    {"node_network_transmit_compressed_total", "Network device statistic transmit_compressed.", "", kCounter},
    {"node_network_receive_nohandler_total", "Network device statistic receive_nohandler.", "", kCounter},
}};

constexpr std::array<Metric, LinkAttributes::field_count> kStates{{
    {"node_network_address_assign_type", "Network device property: address_assign_type", "", kState},
    {"node_network_carrier", "Network device property: carrier", "", kState},
    {"node_network_carrier_changes_total", "Network device property: carrier_changes_total", "", kCounter},
    {"node_network_carrier_up_changes_total", "Network device property: carrier_up_changes_total", "", kCounter},
    {"node_network_carrier_down_changes_total", "Network device property: carrier_down_changes_total", "", kCounter},
    {"node_network_device_id", "Network device property: device_id", "", kState},
    {"node_network_dormant", "Network device property: dormant", "", kState},
    {"node_network_flags", "Network device property: flags", "", kState},
    {"node_network_iface_id", "Network device property: iface_id", "", kState},
    {"node_network_iface_link", "Network device property: iface_link", "", kState},
    {"node_network_iface_link_mode", "Network device property: iface_link_mode", "", kState},
    {"node_network_mtu_bytes", "Network device property: mtu_bytes", "bytes"},
    {"node_network_name_assign_type", "Network device property: name_assign_type", "", kState},
    {"node_network_net_dev_group", "Network device property: net_dev_group", "", kState},
    {"node_network_protocol_type", "Network device property: protocol_type", "", kState},
    {"node_network_speed_bytes", "Network device property: speed_bytes", "bytes per second"},
    {"node_network_transmit_queue_length", "Network device property: transmit_queue_length"},
    {"node_network_up", "Value is 1 if operstate is 'up', 0 otherwise.", "", kState},
}};

constexpr Metric kIdentity{"node_network_info",
                           "Non-numeric data from /sys/class/net/<iface>, value is always 1.", "", kState};

}  // namespace

std::string_view operstate_word(std::uint8_t operstate) noexcept {
  constexpr std::array<std::string_view, 7> kWords{"unknown", "notpresent", "down", "lowerlayerdown",
                                                   "testing", "dormant",    "up"};
  return operstate < kWords.size() ? kWords[operstate] : kWords[0];
}

Result<LinkSeries> LinkSeries::add(SeriesTable& table, const std::string& device) {
  LinkSeries series;
  series.device_ = device;
  series.counters_ = TRY(add_series(table, kCounters, {{"device", device}}));
  return series;
}

void LinkSeries::set_state(SeriesTable& table, const LinkAttributes& state) {
  if (state == state_ && !present_.empty()) return;
  state_ = state;
  present_.clear();
  for (std::size_t i = 0; i < state.values.size(); ++i) {
    if (!state.values[i]) continue;
    // A full table has counted the refusal; the link's other series go on.
    if (auto id = add_series(table, kStates[i], {{"device", device_}})) {
      present_.push_back({*id, *state.values[i]});
    }
  }
  const auto flags = state.values[LinkAttributes::flags];
  const std::string_view adminstate = !flags ? "unknown" : (*flags & kLinkFlagUp) != 0 ? "up" : "down";
  if (auto id = add_series(table, kIdentity,
                           {{"address", state.address},
                            {"adminstate", std::string{adminstate}},
                            {"broadcast", state.broadcast},
                            {"device", device_},
                            {"duplex", state.duplex},
                            {"ifalias", state.alias},
                            {"operstate", state.operstate}})) {
    present_.push_back({*id, 1});
  }
}

void LinkSeries::pass_on(const LinkCounters& counters, SampleSink& sink, BootTime now) const {
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    sink.accept({counters_[i], counters.values[i], now});
  }
}

void LinkSeries::pass_on_state(SampleSink& sink, BootTime now) const {
  for (const StateValue& state : present_) sink.accept({state.series, state.value, now});
}

bool LinkFilter::wants(const std::string& device) const {
  for (const std::string& pattern : excluded_) {
    if (matches_glob(pattern, device)) return false;
  }
  return true;
}

}  // namespace fieldpost
