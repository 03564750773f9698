// SPDX-License-Identifier: Apache-2.0
// What systemd wants to be told: ready, still making progress, stopping. A datagram each; without
// systemd nothing is sent.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/clock.hpp"
#include "platform/file_descriptor.hpp"

namespace fieldpost {

class ServiceNotice {
 public:
  /// The variables of sd_notify(3) and sd_watchdog_enabled(3), as they stand in the environment;
  /// empty where unset.
  struct Environment {
    std::string notify_socket;  ///< NOTIFY_SOCKET; '@' in front means an abstract name
    std::string watchdog_usec;  ///< WATCHDOG_USEC
    std::string watchdog_pid;   ///< WATCHDOG_PID
  };
  static Environment environment();

  explicit ServiceNotice(Environment environment);

  void ready(std::string_view status) const;
  void status(std::string_view status) const;
  /// SIGHUP was understood; ready() ends it.
  void reloading() const;
  void stopping() const;
  /// To be called when progress has been seen, not by a timer alone.
  void alive() const;

  /// How often to call alive(): half the watchdog's time. Nothing: no watchdog is set for us.
  std::optional<nanoseconds> alive_interval() const noexcept { return alive_interval_; }

 private:
  void send(const std::string& text) const;

  std::string socket_name_;
  FileDescriptor socket_;
  std::optional<nanoseconds> alive_interval_;
};

}  // namespace fieldpost
