// SPDX-License-Identifier: Apache-2.0
// Pressure stall information, /proc/pressure/*.
#include "hal/host/pressure.hpp"

#include <array>
#include <vector>

#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

struct Resource {
  std::string_view path;
  Metric waiting;  ///< name empty: not a thing
  Metric stalled;
};

constexpr auto kCounter = SeriesKind::counter;
// "full" of the CPU says nothing for the whole machine (psi.rst), and interrupts have no "some".
constexpr std::array<Resource, 4> kResources{{
    {"/proc/pressure/cpu",
     {"node_pressure_cpu_waiting_seconds_total",
      "Total time in seconds that processes have waited for CPU time", "seconds", kCounter},
     {"", ""}},
    {"/proc/pressure/io",
     {"node_pressure_io_waiting_seconds_total",
      "Total time in seconds that processes have waited due to IO congestion", "seconds", kCounter},
     {"node_pressure_io_stalled_seconds_total",
      "Total time in seconds no process could make progress due to IO congestion", "seconds", kCounter}},
    {"/proc/pressure/memory",
     {"node_pressure_memory_waiting_seconds_total",
      "Total time in seconds that processes have waited for memory", "seconds", kCounter},
     {"node_pressure_memory_stalled_seconds_total",
      "Total time in seconds no process could make progress due to memory congestion", "seconds",
      kCounter}},
    {"/proc/pressure/irq",
     {"", ""},
     {"node_pressure_irq_stalled_seconds_total",
      "Total time in seconds no process could make progress due to IRQ congestion", "seconds", kCounter}},
}};

/// In two steps, as node_exporter does: one division by a million rounds otherwise.
double to_seconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1000 / 1000;
}

struct Pressure {
  KeptFile file;
  std::optional<SeriesId> waiting;
  std::optional<SeriesId> stalled;
};

class PressureSource final : public Source {
 public:
  explicit PressureSource(std::vector<Pressure> pressures) : pressures_{std::move(pressures)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    std::optional<Error> failed;
    bool any = false;
    for (Pressure& pressure : pressures_) {
      const auto text = pressure.file.read();
      if (!text) {
        failed = text.error();
        continue;
      }
      any = true;
      const PressureTotals totals = parse_pressure(*text);
      if (pressure.waiting && totals.some) sink.accept({*pressure.waiting, to_seconds(*totals.some), now});
      if (pressure.stalled && totals.full) sink.accept({*pressure.stalled, to_seconds(*totals.full), now});
    }
    if (!any && failed) return *failed;
    return {};
  }

 private:
  std::vector<Pressure> pressures_;
};

}  // namespace

PressureTotals parse_pressure(std::string_view text) {
  PressureTotals totals;
  TextScanner scan{text};
  while (!scan.at_end()) {
    const std::string_view kind = scan.word();
    // avg10=0.00 avg60=0.00 avg300=0.00 total=123
    std::string_view rest = scan.word();
    while (!rest.empty() && !rest.starts_with("avg300=")) rest = scan.word();
    scan.skip_blanks();
    if (scan.skip("total=")) {
      if (kind == "some") totals.some = scan.number();
      if (kind == "full") totals.full = scan.number();
    }
    scan.skip_line();
  }
  return totals;
}

Result<std::unique_ptr<Source>> open_pressure(const SourceContext& context) {
  std::vector<Pressure> pressures;
  std::optional<Error> absent;
  for (const Resource& resource : kResources) {
    auto file = context.tree.keep(resource.path);
    // A kernel started without psi=1 has the files, but reading them says EOPNOTSUPP.
    if (file) {
      if (auto text = file->read(); !text) {
        if (!absent) absent = Error{ErrorKind::NotPresent, text.error().sentence()};
        continue;
      }
    } else {
      if (!absent) absent = file.error();
      continue;
    }
    Pressure pressure{std::move(*file), std::nullopt, std::nullopt};
    if (!resource.waiting.name.empty()) pressure.waiting = TRY(add_series(context.series, resource.waiting));
    if (!resource.stalled.name.empty()) pressure.stalled = TRY(add_series(context.series, resource.stalled));
    pressures.push_back(std::move(pressure));
  }
  if (pressures.empty()) return *absent;
  return std::make_unique<PressureSource>(std::move(pressures));
}

}  // namespace fieldpost
