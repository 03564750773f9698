// SPDX-License-Identifier: Apache-2.0
// The wall clock and /proc/uptime.
#include "hal/host/time.hpp"

#include <ctime>
#include <optional>

#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

constexpr Metric kTime{"node_time_seconds", "System time in seconds since epoch (1970).", "seconds"};
constexpr Metric kUptime{"fieldpost_uptime_seconds", "Seconds since the machine was started.", "seconds"};

double wall_clock_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class TimeSource final : public Source {
 public:
  TimeSource(KeptFile uptime, std::optional<double> captured, SeriesId time_series, SeriesId uptime_series)
      : uptime_{std::move(uptime)},
        captured_{captured},
        time_series_{time_series},
        uptime_series_{uptime_series} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    sink.accept({time_series_, captured_ ? *captured_ : wall_clock_seconds(), now});
    const std::string_view text = TRY(uptime_.read());
    sink.accept({uptime_series_, TRY(parse_uptime(text)), now});
    return {};
  }

 private:
  KeptFile uptime_;
  std::optional<double> captured_;
  SeriesId time_series_;
  SeriesId uptime_series_;
};

}  // namespace

Result<double> parse_uptime(std::string_view text) {
  const auto uptime = TextScanner{text}.decimal();
  if (!uptime) return Error{ErrorKind::Malformed, "/proc/uptime: a number expected"};
  return *uptime;
}

Result<std::unique_ptr<Source>> open_time(const SourceContext& context) {
  KeptFile uptime = TRY(context.tree.keep("/proc/uptime"));
  std::optional<double> captured;
  if (!context.tree.is_machine()) {
    captured = static_cast<double>(TRY(context.tree.read_integer("/captured/time")));
  }
  const SeriesId time_series = TRY(add_series(context.series, kTime));
  const SeriesId uptime_series = TRY(add_series(context.series, kUptime));
  return std::make_unique<TimeSource>(std::move(uptime), captured, time_series, uptime_series);
}

}  // namespace fieldpost
