// SPDX-License-Identifier: Apache-2.0
// Joins the cloud to the rest: the desired state to the configuration, Azure's methods to what they tell, Device Defender to
// the kernel's figures. Made where the link is; idle where the configuration asks for none of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/cloud/azure_methods.hpp"
#include "agent/cloud/desired_state.hpp"
#include "agent/cloud/device_defender.hpp"
#include "agent/sampling/source_schedule.hpp"
#include "agent/wiring_configuration.hpp"

namespace fieldpost {

class WiredCloud {
 public:
  /// All lent, all outlive it. `status`: what `fieldpost status` would show, as JSON. `may_begin_anew`: see WiredConfiguration.
  WiredCloud(EventLoop& loop, Log& log, const Configuration& configuration, Link& link, const SourceSchedule& schedule,
             ConfigurationChanges changes, std::function<bool()> may_begin_anew, std::function<std::string()> status);

  /// Before the link's own start: what it subscribes to goes out with the first connection.
  void start();

  /// Where the cloud may change the configuration; else null.
  RemoteConfiguration* changes() { return changes_ ? &*changes_ : nullptr; }
  /// As DesiredState::change(); empty where there is none.
  std::string change() const { return desired_ ? desired_->change() : std::string{}; }

 private:
  std::optional<WiredConfiguration> changes_;
  std::optional<DesiredState> desired_;
  std::optional<AzureMethods> methods_;
  std::optional<DeviceDefender> defender_;
};

}  // namespace fieldpost
