// SPDX-License-Identifier: Apache-2.0
// Options of jobs, as the configuration's [jobs].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// When jobs that disturb may begin.
struct MaintenanceWindow {
  int from_minute = 0;           ///< of the day
  int minutes = 24 * 60;         ///< may reach into the next day
  unsigned days = 0x7f;          ///< on which it begins; bit 0 is Sunday
  bool is_local = false;         ///< by the host's time zone, else UTC
  bool operator==(const MaintenanceWindow&) const = default;
};

/// `hours`: "02:00-04:30", "22:00-05:00" over midnight, "" for the whole day. `days`: "mon" to "sun"; none: all.
/// Errors: Malformed
Result<MaintenanceWindow> maintenance_window(std::string_view hours, const std::vector<std::string>& days, bool is_local);
bool is_open(const MaintenanceWindow& window, UtcTime now);

struct JobOptions {
  bool enabled = false;
  std::string device;  ///< its name: which wave it belongs to
  std::string handlers_directory;
  std::vector<std::string> commands;          ///< programs that a job may run beside handlers
  std::vector<std::string> repeated_handlers{"reboot.sh"};  ///< run again when a reboot came between
  std::vector<std::string> reboot_command{"/sbin/reboot"};
  nanoseconds command_timeout = std::chrono::minutes{30};
  seconds step_timeout = std::chrono::minutes{10};
  MaintenanceWindow window;
  bool waiting_is_told = false;
  std::int64_t bytes_per_day_max = 0;  ///< that jobs send or fetch
};

/// Which of `count` waves a device belongs to, the first being 0: the same for each job, evenly over a fleet's names.
unsigned wave_of(std::string_view device, unsigned count);

}  // namespace fieldpost
