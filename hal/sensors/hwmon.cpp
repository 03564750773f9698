// SPDX-License-Identifier: Apache-2.0
// Chips below /sys/class/hwmon. Measurements are read every time, limits every minute; chips that come
// and go (USB, modules) are looked for every ten seconds.
#include "hal/sensors/hwmon.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "hal/metric.hpp"
#include "hal/sensors/hwmon_name.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kClass = "/sys/class/hwmon";
constexpr seconds kRescanEvery{10};
constexpr seconds kLimitsEvery{60};

constexpr Metric kChipName{"node_hwmon_chip_names", "Annotation metric for human-readable chip names", "",
                           SeriesKind::state};
constexpr Metric kSensorLabel{"node_hwmon_sensor_label", "Label for given chip and sensor", "",
                              SeriesKind::state};

/// "/sys/class/hwmon" with "../../devices/x" gives "/sys/devices/x".
std::string join(std::string directory, std::string_view target) {
  if (target.starts_with('/')) directory.clear();
  while (!target.empty()) {
    const std::string_view part = target.substr(0, target.find('/'));
    target.remove_prefix(std::min(target.size(), part.size() + 1));
    if (part == "..") {
      directory.resize(std::min(directory.rfind('/'), directory.size()));
    } else if (!part.empty() && part != ".") {
      directory += '/';
      directory += part;
    }
  }
  return directory;
}

/// Where the monitor's own directory really lies: class entries are links, of the monitor's path only.
std::string real_path(const FileTree& tree, const std::string& directory, const std::string& name) {
  const auto target = tree.read_link(directory + "/" + name);
  return target ? join(directory, *target) : directory + "/" + name;
}

struct Chip {
  std::string label;   ///< "platform_coretemp_0"
  std::string name;    ///< "coretemp"
  std::vector<std::string> directories;  ///< its own, then its device's: old drivers put them there
};

class HwmonSource final : public Source {
 public:
  HwmonSource(const FileTree& tree, SeriesTable& series) : tree_{tree}, series_{series} {}

  Result<void> rescan() {
    const auto monitors = TRY(tree_.list(kClass));
    if (monitors == monitors_) return {};
    monitors_ = monitors;
    measured_.clear();
    limits_.clear();
    constant_.clear();
    std::set<std::string> labels;
    for (const std::string& monitor : monitors) {
      Chip chip = describe(monitor);
      // Two monitors of one device: the chip's name tells them apart.
      if (!labels.insert(chip.label).second) {
        chip.label += "_" + (chip.name.empty() ? monitor : hwmon_label(chip.name));
        labels.insert(chip.label);
      }
      add(chip);
    }
    limits_due_ = BootTime{};
    return {};
  }

  Result<void> read(SampleSink& sink, BootTime now) override {
    if (now >= rescan_due_) {
      TRY(rescan());
      rescan_due_ = now + kRescanEvery;
    }
    if (now >= limits_due_) {
      for (Limit& limit : limits_) limit.value = value_of(limit.attribute);
      limits_due_ = now + kLimitsEvery;
    }
    for (const SeriesId id : constant_) sink.accept({id, 1, now});
    for (const Limit& limit : limits_) {
      if (limit.value) sink.accept({limit.attribute.series, *limit.value, now});
    }
    bool any = measured_.empty();
    for (Attribute& attribute : measured_) {
      const auto value = value_of(attribute);
      if (!value) continue;
      any = true;
      sink.accept({attribute.series, *value, now});
    }
    if (any) return {};
    return *failed_;
  }

 private:
  struct Limit {
    Attribute attribute;
    std::optional<Value> value;
  };

  std::optional<Value> value_of(Attribute& attribute) {
    const auto number = read_attribute(attribute.file);
    if (number) {
      return attribute.scale.is_one() ? Value{*number}
                                      : Value{static_cast<double>(*number) * attribute.scale.times /
                                              attribute.scale.over};
    }
    // A sensor that is off (ENODATA), a chip that does not answer (EIO): left out, the others go on.
    failed_ = number.error();
    // Gone, or replaced by another of the same number: open all anew at the next re-scan.
    if (number.error().kind() == ErrorKind::NotPresent) monitors_.clear();
    return std::nullopt;
  }

  Chip describe(const std::string& monitor) const {
    const std::string path = real_path(tree_, std::string{kClass}, monitor);
    Chip chip;
    chip.name = tree_.read_line(path + "/name").value_or("");
    chip.directories.push_back(path);
    if (const auto device = tree_.read_link(path + "/device")) {
      const std::string device_path = join(path, *device);
      chip.label = hwmon_chip(device_path);
      chip.directories.push_back(device_path);
    }
    if (chip.label.empty()) chip.label = hwmon_label(chip.name);
    if (chip.label.empty()) chip.label = monitor;
    return chip;
  }

  void add(const Chip& chip) {
    if (!chip.name.empty()) {
      note(add_series(series_, kChipName, {{"chip", chip.label}, {"chip_name", hwmon_label(chip.name)}}));
    }
    // By sensor and element; where both directories have one, the device's is read, as node_exporter does.
    std::map<std::pair<std::string, std::string>, std::pair<HwmonAttributeName, std::string>> files;
    for (const std::string& directory : chip.directories) {
      const auto names = tree_.list(directory);
      if (!names) continue;
      for (const std::string& name : *names) {
        if (const auto attribute = parse_hwmon_attribute_name(name)) {
          files[{attribute->sensor, attribute->element}] = {*attribute, std::string{directory}.append("/").append(name)};
        }
      }
    }
    for (const auto& [key, found] : files) {
      const auto& [attribute, path] = found;
      if (attribute.element == "label") {
        add_label(chip, attribute, path);
      } else {
        add_attribute(chip, attribute, path, files.contains({attribute.sensor, ""}));
      }
    }
  }

  void add_label(const Chip& chip, const HwmonAttributeName& attribute, const std::string& path) {
    const std::string label = tree_.read_line(path).value_or("");
    if (label.empty()) return;
    note(add_series(series_, kSensorLabel,
                    {{"chip", chip.label}, {"label", label}, {"sensor", attribute.sensor}}));
  }

  void add_attribute(const Chip& chip, const HwmonAttributeName& attribute, const std::string& path,
                     bool has_plain) {
    auto file = tree_.keep(path);
    if (!file) return;  // write-only, or gone since it was listed
    const auto number = read_attribute(*file);
    // What cannot be read now may be read later; what is no number (a word, the folder "power" that
    // every device has) never will.
    if (!number && (number.error().kind() == ErrorKind::Malformed || tree_.list(path))) return;
    const HwmonMetric metric = hwmon_metric(attribute, has_plain);
    const auto id = series_.add({metric.name,
                                 {{"chip", chip.label}, {"sensor", attribute.sensor}},
                                 metric.unit,
                                 metric.kind,
                                 metric.help});
    if (!id) return;
    Attribute kept{std::move(*file), *id, metric.scale};
    if (is_hwmon_limit(attribute)) {
      limits_.push_back({std::move(kept), std::nullopt});
    } else {
      measured_.push_back(std::move(kept));
    }
  }

  void note(const Result<SeriesId>& id) {
    if (id) constant_.push_back(*id);
  }

  const FileTree& tree_;
  SeriesTable& series_;
  std::vector<std::string> monitors_;
  std::vector<Attribute> measured_;
  std::vector<Limit> limits_;
  std::vector<SeriesId> constant_;
  std::optional<Error> failed_;
  BootTime rescan_due_{};
  BootTime limits_due_{};
};

}  // namespace

Result<std::unique_ptr<Source>> open_hwmon(const SourceContext& context) {
  const auto monitors = context.tree.list(kClass);
  if (!monitors && monitors.error().kind() != ErrorKind::NotPresent) return monitors.error();
  if (!monitors || monitors->empty()) return Error{ErrorKind::NotPresent, "no hwmon chip"};
  auto source = std::make_unique<HwmonSource>(context.tree, context.series);
  TRY(source->rescan());
  return source;
}

}  // namespace fieldpost
