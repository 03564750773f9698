// SPDX-License-Identifier: Apache-2.0
// What the scheduler counts, out of one read of /proc/stat: seconds of each CPU by mode, interrupts,
// context switches, forks, processes, and when the machine started.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hal/source.hpp"

namespace fieldpost {

/// One "cpuN" line: user nice system idle iowait irq softirq steal guest guest_nice, in USER_HZ ticks.
/// Kernels before 2.6.33 have fewer; those stay 0.
struct CpuTicks {
  static constexpr std::size_t kIdle = 3;
  std::uint64_t number = 0;
  std::array<std::uint64_t, 10> ticks{};
};

/// /proc/stat. What the text does not have stays as "nothing".
struct ProcStat {
  std::vector<CpuTicks> cpus;
  std::optional<std::uint64_t> interrupts;
  std::optional<std::uint64_t> context_switches;
  std::optional<std::uint64_t> boot_time;
  std::optional<std::uint64_t> forks;
  std::optional<std::uint64_t> running;
  std::optional<std::uint64_t> blocked;
};

/// Parses /proc/stat into `stat`, whose memory is used again. Lines that do not parse are left out.
/// Source: proc(5)
/// Errors: Malformed   not one line parses
Result<void> parse_proc_stat(std::string_view text, ProcStat& stat);

/// Opens node_cpu_seconds_total and the other series of /proc/stat.
/// Unit:   seconds, 1/100
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_cpu(const SourceContext& context);

}  // namespace fieldpost
