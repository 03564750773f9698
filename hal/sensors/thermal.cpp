// SPDX-License-Identifier: Apache-2.0
// Thermal zones and cooling devices.
#include "hal/sensors/thermal.hpp"

#include "hal/attribute.hpp"
#include "hal/metric.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kClass = "/sys/class/thermal";
constexpr std::string_view kZone = "thermal_zone";
constexpr std::string_view kCoolingDevice = "cooling_device";
constexpr seconds kRescanEvery{10};

constexpr Metric kTemperature{"node_thermal_zone_temp", "Zone temperature in Celsius", "celsius"};
constexpr Metric kCurrentState{"node_cooling_device_cur_state",
                               "Current throttle state of the cooling device"};
constexpr Metric kMaximumState{"node_cooling_device_max_state",
                               "Maximum throttle state of the cooling device"};

class ThermalSource final : public Source {
 public:
  ThermalSource(const FileTree& tree, SeriesTable& series) : tree_{tree}, series_{series} {}

  Result<void> rescan() {
    const auto entries = TRY(tree_.list(kClass));
    if (entries == entries_) return {};
    entries_ = entries;
    attributes_.clear();
    for (const std::string& entry : entries_) {
      const std::string directory = std::string{kClass} + "/" + entry + "/";
      const std::string type = tree_.read_line(directory + "type").value_or("");
      if (entry.starts_with(kZone)) {
        add(directory + "temp", kTemperature, {{"type", type}, {"zone", entry.substr(kZone.size())}},
            {1, 1000});
      } else if (entry.starts_with(kCoolingDevice)) {
        const std::vector<Label> labels{{"name", entry.substr(kCoolingDevice.size())}, {"type", type}};
        add(directory + "cur_state", kCurrentState, labels, {});
        add(directory + "max_state", kMaximumState, labels, {});
      }
    }
    return {};
  }

  Result<void> read(SampleSink& sink, BootTime now) override {
    if (now >= rescan_due_) {
      TRY(rescan());
      rescan_due_ = now + kRescanEvery;
    }
    const auto failures = read_attributes(attributes_, sink, now);
    // Perhaps replaced by another of the same name: open all anew at the next re-scan.
    if (!failures || *failures > 0) entries_.clear();
    if (!failures) return failures.error();
    return {};
  }

 private:
  void add(const std::string& path, const Metric& metric, std::vector<Label> labels, AttributeScale scale) {
    auto file = tree_.keep(path);
    if (!file) return;
    if (auto id = add_series(series_, metric, std::move(labels))) {
      attributes_.push_back({std::move(*file), *id, scale});
    }
  }

  const FileTree& tree_;
  SeriesTable& series_;
  std::vector<std::string> entries_;
  std::vector<Attribute> attributes_;
  BootTime rescan_due_{};
};

}  // namespace

Result<std::unique_ptr<Source>> open_thermal(const SourceContext& context) {
  const auto zones = context.tree.list(kClass);
  if (!zones && zones.error().kind() != ErrorKind::NotPresent) return zones.error();
  if (!zones || zones->empty()) {
    return Error{ErrorKind::NotPresent, "no thermal zone and no cooling device"};
  }
  auto source = std::make_unique<ThermalSource>(context.tree, context.series);
  TRY(source->rescan());
  return source;
}

}  // namespace fieldpost
