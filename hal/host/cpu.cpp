// SPDX-License-Identifier: Apache-2.0
// CPU seconds and scheduler counters from one read of /proc/stat.
#include "hal/host/cpu.hpp"

#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

/// USER_HZ: 100 on every architecture we build for, whatever the kernel's own HZ is.
constexpr double kTicksPerSecond = 100;

/// Idle time that falls by more means that the CPU was taken away and came back with new counters.
constexpr std::uint64_t kIdleFallTicksMax = 300;

constexpr Metric kSeconds{"node_cpu_seconds_total", "Seconds the CPUs spent in each mode.",
                          "seconds", SeriesKind::counter};
constexpr Metric kGuestSeconds{"node_cpu_guest_seconds_total",
                               "Seconds the CPUs spent in guests (VMs) for each mode.", "seconds",
                               SeriesKind::counter};
constexpr std::array<std::string_view, 10> kModes{"user", "nice",    "system", "idle", "iowait",
                                                  "irq",  "softirq", "steal",  "user", "nice"};
constexpr std::size_t kGuestModes = 8;  // the last two are of kGuestSeconds

constexpr std::array<Metric, 6> kTotals{{
    {"node_intr_total", "Total number of interrupts serviced.", "", SeriesKind::counter},
    {"node_context_switches_total", "Total number of context switches.", "", SeriesKind::counter},
    {"node_boot_time_seconds", "Node boot time, in unixtime.", "seconds"},
    {"node_forks_total", "Total number of forks.", "", SeriesKind::counter},
    {"node_procs_running", "Number of processes in runnable state."},
    {"node_procs_blocked", "Number of processes blocked waiting for I/O to complete."},
}};

struct Cpu {
  std::uint64_t number = 0;
  std::array<SeriesId, 10> series{};
  std::array<std::uint64_t, 10> ticks{};
};

Result<Cpu> add_cpu(SeriesTable& table, std::uint64_t number) {
  Cpu cpu{number, {}, {}};
  const std::string name = std::to_string(number);
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    cpu.series[i] = TRY(add_series(table, i < kGuestModes ? kSeconds : kGuestSeconds,
                                   {{"cpu", name}, {"mode", std::string{kModes[i]}}}));
  }
  return cpu;
}

class CpuSource final : public Source {
 public:
  CpuSource(KeptFile file, SeriesTable& series, std::array<SeriesId, 6> totals)
      : file_{std::move(file)}, series_{series}, totals_{totals} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    const std::string_view text = TRY(file_.read());
    TRY(parse_proc_stat(text, stat_));
    for (std::size_t i = 0; i < stat_.cpus.size(); ++i) {
      Cpu* cpu = find(i, stat_.cpus[i].number);
      if (cpu == nullptr) continue;
      advance(*cpu, stat_.cpus[i]);
      for (std::size_t mode = 0; mode < kModes.size(); ++mode) {
        sink.accept({cpu->series[mode], static_cast<double>(cpu->ticks[mode]) / kTicksPerSecond, now});
      }
    }
    const std::array totals{&stat_.interrupts, &stat_.context_switches, &stat_.boot_time,
                            &stat_.forks,      &stat_.running,          &stat_.blocked};
    for (std::size_t i = 0; i < totals.size(); ++i) {
      if (*totals[i]) sink.accept({totals_[i], **totals[i], now});
    }
    return {};
  }

 private:
  /// The CPU of that number, which nearly always stands where it stood at the last read; CPUs are
  /// switched off and on at run time. Null when the table of series is full.
  Cpu* find(std::size_t position, std::uint64_t number) {
    if (position < cpus_.size() && cpus_[position].number == number) return &cpus_[position];
    for (Cpu& cpu : cpus_) {
      if (cpu.number == number) return &cpu;
    }
    auto added = add_cpu(series_, number);
    if (!added) return nullptr;
    return &*cpus_.insert(
        cpus_.begin() + static_cast<std::ptrdiff_t>(std::min(position, cpus_.size())), *added);
  }

  /// The kernel's own figures (iowait above all) sometimes step back by a little; a counter must
  /// not, or a dashboard sees a reset and a huge rate.
  static void advance(Cpu& cpu, const CpuTicks& read) {
    if (read.ticks[CpuTicks::kIdle] + kIdleFallTicksMax < cpu.ticks[CpuTicks::kIdle]) {
      cpu.ticks = read.ticks;
      return;
    }
    for (std::size_t i = 0; i < read.ticks.size(); ++i) {
      if (read.ticks[i] > cpu.ticks[i]) cpu.ticks[i] = read.ticks[i];
    }
  }

  KeptFile file_;
  SeriesTable& series_;
  std::array<SeriesId, 6> totals_;
  std::vector<Cpu> cpus_;
  ProcStat stat_;
};

bool parse_cpu(TextScanner& scan, CpuTicks& cpu) {
  const auto number = scan.number();
  if (!number) return false;
  cpu.number = *number;
  std::size_t fields = 0;
  for (; fields < cpu.ticks.size(); ++fields) {
    const auto ticks = scan.number();
    if (!ticks) break;
    cpu.ticks[fields] = *ticks;
  }
  return fields > CpuTicks::kIdle;
}

}  // namespace

Result<void> parse_proc_stat(std::string_view text, ProcStat& stat) {
  stat.cpus.clear();
  stat.interrupts = stat.context_switches = stat.boot_time = std::nullopt;
  stat.forks = stat.running = stat.blocked = std::nullopt;
  TextScanner scan{text};
  while (!scan.at_end()) {
    if (scan.skip("cpu")) {
      // "cpu " is the sum of all, "cpuN" one of them.
      CpuTicks cpu;
      if (!scan.skip(' ') && parse_cpu(scan, cpu)) stat.cpus.push_back(cpu);
    } else if (scan.skip("intr ")) {
      stat.interrupts = scan.number();
    } else if (scan.skip("ctxt ")) {
      stat.context_switches = scan.number();
    } else if (scan.skip("btime ")) {
      stat.boot_time = scan.number();
    } else if (scan.skip("processes ")) {
      stat.forks = scan.number();
    } else if (scan.skip("procs_running ")) {
      stat.running = scan.number();
    } else if (scan.skip("procs_blocked ")) {
      stat.blocked = scan.number();
      break;  // only softirq follows
    }
    scan.skip_line();
  }
  if (stat.cpus.empty() && !stat.interrupts && !stat.context_switches && !stat.forks) {
    return Error{ErrorKind::Malformed, "/proc/stat: no line that we know"};
  }
  return {};
}

Result<std::unique_ptr<Source>> open_cpu(const SourceContext& context) {
  KeptFile file = TRY(context.tree.keep("/proc/stat"));
  const auto totals = TRY(add_series(context.series, kTotals, {}));
  return std::make_unique<CpuSource>(std::move(file), context.series, totals);
}

}  // namespace fieldpost
