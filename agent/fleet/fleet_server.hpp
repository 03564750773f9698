// SPDX-License-Identifier: Apache-2.0
// The server: joins the link to those who answer. What comes in one turn of the loop is one transaction, and nothing is
// said before it is on the disk: a server that is killed at any instant has promised nothing that it forgets.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/device_jobs.hpp"
#include "agent/fleet/device_shadows.hpp"
#include "agent/fleet/fleet_database.hpp"
#include "agent/fleet/fleet_jobs.hpp"
#include "agent/fleet/fleet_register.hpp"
#include "agent/fleet/operator_desk.hpp"
#include "agent/link/link.hpp"

namespace fieldpost {

class FleetServer {
 public:
  static constexpr std::size_t kOutgoingBytesMax = 64U << 20U;
  static constexpr seconds kTick{1};

  /// All lent, all outlive it. `prefix`: of the topics, as the devices have it.
  FleetServer(EventLoop& loop, Log& log, Link& link, FleetDatabase& database, std::string prefix);

  void start();

  /// The operator's request and its answer, one line of JSON each; {"error": ...} if it cannot be.
  std::string answer(std::string_view request);

 private:
  void received(std::string_view topic, std::string_view payload);
  SayToDevice sayer();
  /// Makes durable what was done, then says what was to be said.
  Result<void> settle();
  void send();
  void link_changed(LinkState state);
  std::int64_t now_us() const;

  EventLoop& loop_;
  Log& log_;
  Link& link_;
  FleetDatabase& database_;
  std::string prefix_;
  FleetRegister register_;
  DeviceJobs device_jobs_;
  DeviceShadows shadows_;
  FleetJobs jobs_;
  OperatorDesk desk_;
  std::vector<Link::Message> unsettled_;
  std::deque<Link::Message> outgoing_;
  std::size_t outgoing_bytes_ = 0;
  Subscription settling_;
  Subscription tick_;
};

}  // namespace fieldpost
