// SPDX-License-Identifier: Apache-2.0
// What is known of one network link, wherever it was read: rtnetlink on the machine itself, files in a
// captured tree. Both ways end here, so that both give the same series: node_exporter's node_network_*.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// Counters of a link, in the order of /proc/net/dev (8 received, 8 transmitted), then those without a
/// handler, which that file does not have.
struct LinkCounters {
  enum Field : std::size_t {
    receive_bytes, receive_packets, receive_errs, receive_drop, receive_fifo, receive_frame,
    receive_compressed, receive_multicast,
    transmit_bytes, transmit_packets, transmit_errs, transmit_drop, transmit_fifo, transmit_colls,
    transmit_carrier, transmit_compressed,
    receive_nohandler,
    field_count
  };
  std::array<std::uint64_t, field_count> values{};
};

/// Everything else about a link. What is not known is left out of the samples.
struct LinkAttributes {
  enum Field : std::size_t {
    address_assign_type, carrier, carrier_changes, carrier_up_changes, carrier_down_changes, device_id,
    dormant, flags, iface_id, iface_link, iface_link_mode, mtu_bytes, name_assign_type, net_dev_group,
    protocol_type, speed_bytes, transmit_queue_length, up,
    field_count
  };
  std::string name;
  std::array<std::optional<std::int64_t>, field_count> values{};
  std::string address;    ///< "02:fc:00:00:00:01"
  std::string broadcast;
  std::string duplex;
  std::string alias;
  std::string operstate;  ///< "up", as sysfs spells it
  friend bool operator==(const LinkAttributes&, const LinkAttributes&) = default;
};

/// "up", "lowerlayerdown" ...: the words of sysfs for IF_OPER_*.
std::string_view operstate_word(std::uint8_t operstate) noexcept;

/// The interface flag "administratively up" (IFF_UP).
inline constexpr std::int64_t kLinkFlagUp = 1;

/// The samples of one link: counters at every read, the state as it was last set.
class LinkSeries {
 public:
  /// Errors: Full
  static Result<LinkSeries> add(SeriesTable& table, const std::string& device);

  const std::string& device() const noexcept { return device_; }

  /// Remembers the state to be passed on at every read from now on.
  void set_state(SeriesTable& table, const LinkAttributes& state);

  void pass_on(const LinkCounters& counters, SampleSink& sink, BootTime now) const;
  void pass_on_state(SampleSink& sink, BootTime now) const;

 private:
  struct StateValue {
    SeriesId series;
    std::int64_t value;
  };
  std::string device_;
  std::array<SeriesId, LinkCounters::field_count> counters_{};
  LinkAttributes state_;
  std::vector<StateValue> present_;
};

/// Which links are left out: shell patterns such as "veth*".
class LinkFilter {
 public:
  explicit LinkFilter(std::vector<std::string> excluded) : excluded_{std::move(excluded)} {}
  bool wants(const std::string& device) const;

 private:
  std::vector<std::string> excluded_;
};

}  // namespace fieldpost
