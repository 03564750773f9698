// SPDX-License-Identifier: Apache-2.0
// The whole agent: every stage made and joined, in the order in which readings flow. Nothing else
// knows all of them. What can be wrong with the configuration shows in make(); from then on the agent
// runs whatever happens to broker, disk and sources (promises P4 and P6).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/configuration/configuration.hpp"
#include "agent/local/status_document.hpp"
#include "agent/wiring_configuration.hpp"
#include "platform/event_loop.hpp"
#include "platform/file_tree.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class Agent {
 public:
  /// What an orderly stop may take in all; systemd's own limit is longer.
  static constexpr seconds kStopTime{5};
  /// Of which sync gets so much to send what the last flush made durable.
  static constexpr seconds kLastSendTime{2};

  /// `loop`, `log` and `tree` are lent and outlive the agent. `tree` is what sources read. `changes`: how the cloud
  /// may change the configuration, where it may.
  ///
  /// Errors: as Link::make (certificates, keys, URL), and Unavailable (another agent uses the state
  ///         directory): both for a person to mend, so the agent does not start
  static Result<std::unique_ptr<Agent>> make(EventLoop& loop, Log& log, const FileTree& tree,
                                             Configuration configuration, ConfigurationChanges changes = {});
  virtual ~Agent() = default;

  virtual void start() = 0;

  /// Reads no more, makes durable what is in memory, sends what can be sent in time, disconnects and
  /// closes the store; then runs `done`. Takes at most kStopTime while the loop runs.
  virtual void stop(std::function<void()> done) = 0;

  virtual StatusDocument status() const = 0;

  /// A number that grows whenever a source was read or failed: what the watchdog is fed by.
  virtual std::uint64_t progress() const = 0;
  /// The longest time between two changes of it while all is well.
  virtual nanoseconds progress_interval() const = 0;

  /// A read on a worker hangs: destroying the agent would wait for it. For the very end only.
  virtual bool stuck() const = 0;
};

}  // namespace fieldpost
