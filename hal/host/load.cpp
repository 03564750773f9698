// SPDX-License-Identifier: Apache-2.0
// The load averages of /proc/loadavg.
#include "hal/host/load.hpp"

#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

constexpr std::array<Metric, 3> kMetrics{{
    {"node_load1", "1m load average."},
    {"node_load5", "5m load average."},
    {"node_load15", "15m load average."},
}};

class LoadSource final : public Source {
 public:
  LoadSource(KeptFile file, std::array<SeriesId, 3> series)
      : file_{std::move(file)}, series_{series} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    const std::string_view text = TRY(file_.read());
    const std::array<double, 3> averages = TRY(parse_loadavg(text));
    for (std::size_t i = 0; i < averages.size(); ++i) sink.accept({series_[i], averages[i], now});
    return {};
  }

 private:
  KeptFile file_;
  std::array<SeriesId, 3> series_;
};

}  // namespace

Result<std::array<double, 3>> parse_loadavg(std::string_view text) {
  TextScanner scan{text};
  std::array<double, 3> averages{};
  for (double& average : averages) {
    const auto value = scan.decimal();
    if (!value) return Error{ErrorKind::Malformed, "/proc/loadavg: three numbers expected"};
    average = *value;
  }
  return averages;
}

Result<std::unique_ptr<Source>> open_load(const SourceContext& context) {
  KeptFile file = TRY(context.tree.keep("/proc/loadavg"));
  const auto series = TRY(add_series(context.series, kMetrics, {}));
  return std::make_unique<LoadSource>(std::move(file), series);
}

}  // namespace fieldpost
