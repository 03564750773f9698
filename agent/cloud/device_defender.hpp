// SPDX-License-Identifier: Apache-2.0
// AWS IoT Device Defender's device-side metrics: what the kernel knows of ports, connections and traffic, as JSON, every five
// minutes at the most. The figures of traffic are those since the report before, so the first report comes after one interval; that
// keeps a restart within the service's rate, too.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class DeviceDefender {
 public:
  /// All lent, all outlive it. `root`: before /proc; empty outside tests.
  DeviceDefender(EventLoop& loop, Log& log, Link& link, std::string_view thing, seconds interval, std::string root = {});

  void start();

  /// Addresses and ports told at most; `total` counts them all.
  static constexpr std::size_t kListedMax = 50;
  static constexpr std::size_t kFileBytesMax = 512U << 10U;

 private:
  /// bytes in, packets in, bytes out, packets out
  using Traffic = std::array<std::uint64_t, 4>;

  void report();
  std::optional<Traffic> traffic() const;
  std::optional<std::string> file(std::string_view name) const;
  void rejected(std::string_view payload);

  EventLoop& loop_;
  Log& log_;
  Link& link_;
  std::string place_;
  seconds interval_;
  std::string root_;
  std::optional<Traffic> before_;
  std::int64_t last_id_ = 0;
  std::string last_refusal_;
  Subscription timer_;
};

}  // namespace fieldpost
