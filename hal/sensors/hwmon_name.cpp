// SPDX-License-Identifier: Apache-2.0
// Names, units and scales of hwmon attributes.
#include "hal/sensors/hwmon_name.hpp"

#include <algorithm>
#include <array>

namespace fieldpost {
namespace {

constexpr std::array<std::string_view, 13> kTypes{
    "vrm",  "beep_enable", "update_interval", "in",     "cpu",      "fan",      "pwm",
    "temp", "curr",        "power",           "energy", "humidity", "intrusion"};

constexpr AttributeScale kThousandth{0.001, 1};
constexpr AttributeScale kMillionth{1, 1'000'000};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The unit, help and scale of the kinds of sensors that have one, for elements that are not flags.
/// Nothing: the number is passed on as it is.
std::optional<HwmonMetric> with_unit(const HwmonAttributeName& attribute, const std::string& name) {
  const auto& [type, sensor, element] = attribute;
  const std::string of_element = " (" + element + ")";
  if (type == "in" || type == "cpu") {
    return HwmonMetric{name + "_volts", "Hardware monitor for voltage" + of_element, "volts",
                       SeriesKind::gauge, kThousandth};
  }
  if (type == "temp" && element != "type") {
    return HwmonMetric{name + "_celsius", "Hardware monitor for temperature" + of_element, "celsius",
                       SeriesKind::gauge, kThousandth};
  }
  if (type == "curr") {
    return HwmonMetric{name + "_amps", "Hardware monitor for current" + of_element, "amperes",
                       SeriesKind::gauge, kThousandth};
  }
  if (type == "energy") {
    return HwmonMetric{name + "_joule_total", "Hardware monitor for joules used so far" + of_element,
                       "joules", SeriesKind::counter, kMillionth};
  }
  if (type == "power" && element == "accuracy") {
    return HwmonMetric{name, "Hardware monitor power meter accuracy, as a ratio", "ratio",
                       SeriesKind::gauge, kMillionth};
  }
  if (type == "power" && element.starts_with("average_interval")) {
    return HwmonMetric{name + "_seconds", "Hardware monitor power usage update interval" + of_element,
                       "seconds", SeriesKind::gauge, kThousandth};
  }
  if (type == "power") {
    return HwmonMetric{name + "_watt", "Hardware monitor for power usage in watts" + of_element, "watts",
                       SeriesKind::gauge, kMillionth};
  }
  if (type == "humidity") {
    // sysfs says thousandths of a percent, so this is a tenth of the ratio it claims to be; existing
    // dashboards are built on node_exporter's figure.
    return HwmonMetric{name,
                       "Hardware monitor for humidity, as a ratio (multiply with 100.0 to get the humidity as a percentage)" + of_element,
                       "ratio", SeriesKind::gauge, kMillionth};
  }
  if (type == "fan" && (element == "input" || element == "min" || element == "max" || element == "target")) {
    return HwmonMetric{name + "_rpm", "Hardware monitor for fan revolutions per minute" + of_element,
                       "revolutions per minute", SeriesKind::gauge, {}};
  }
  return std::nullopt;
}

}  // namespace

std::optional<HwmonAttributeName> parse_hwmon_attribute_name(std::string_view file_name) {
  const auto digits = std::ranges::find_if(file_name, is_digit);
  const auto after = std::find_if_not(digits, file_name.end(), is_digit);
  std::string_view type{file_name.begin(), digits};
  std::string_view number{digits, after};
  std::string_view rest{after, file_name.end()};
  if (number.size() > 6) return std::nullopt;
  if (!rest.empty()) {
    if (rest.front() != '_' || rest.size() == 1) return std::nullopt;
    rest.remove_prefix(1);
  }
  if (std::ranges::find(kTypes, type) == kTypes.end()) return std::nullopt;
  const std::string sensor_number = number.empty() ? "0" : std::to_string(std::stoi(std::string{number}));
  return HwmonAttributeName{std::string{type}, std::string{type} + sensor_number, std::string{rest}};
}

HwmonMetric hwmon_metric(const HwmonAttributeName& attribute, bool has_plain) {
  const auto& [type, sensor, element] = attribute;
  if (type == "beep_enable") return {"node_hwmon_beep_enabled", "Hardware beep enabled", "", SeriesKind::state, {}};
  if (type == "vrm") return {"node_hwmon_voltage_regulator_version", "Hardware voltage regulator", "", SeriesKind::gauge, {}};
  if (type == "update_interval") {
    return {"node_hwmon_update_interval_seconds", "Hardware monitor update interval", "seconds",
            SeriesKind::gauge, kThousandth};
  }
  std::string name = "node_hwmon_" + type;
  if (element == "input") {
    if (has_plain) name += "_input";
  } else if (!element.empty()) {
    name += "_" + hwmon_label(element);
  }
  if (element == "fault" || element == "alarm") {
    return {name, "Hardware sensor " + element + " status (" + type + ")", "", SeriesKind::state, {}};
  }
  if (element == "beep") {
    return {name + "_enabled", "Hardware monitor sensor has beeping enabled", "", SeriesKind::state, {}};
  }
  if (auto metric = with_unit(attribute, name)) return *metric;
  return {name, "Hardware monitor " + type + " element " + element, "", SeriesKind::gauge, {}};
}

bool is_hwmon_limit(const HwmonAttributeName& attribute) {
  if (attribute.type == "vrm" || attribute.type == "update_interval" || attribute.type == "beep_enable") return true;
  constexpr std::array<std::string_view, 17> kLimits{
      "min", "max", "crit", "lcrit", "emergency", "cap", "cap_min", "cap_max", "cap_hyst", "offset", "type",
      "rated_min", "rated_max", "div", "pulses", "beep", "average_interval"};
  const std::string_view element = attribute.element;
  return element.ends_with("_hyst") || std::ranges::find(kLimits, element) != kLimits.end();
}

std::string hwmon_label(std::string_view text) {
  std::string label;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept = (lower >= 'a' && lower <= 'z') || is_digit(lower) || lower == ':' || lower == '_';
    label += kept ? lower : '_';
  }
  while (!label.empty() && label.back() == '_') label.pop_back();
  label.erase(0, std::min(label.find_first_not_of('_'), label.size()));
  return label;
}

std::string hwmon_chip(std::string_view device_path) {
  const std::size_t slash = device_path.rfind('/');
  if (slash == std::string_view::npos) return hwmon_label(device_path);
  const std::string device = hwmon_label(device_path.substr(slash + 1));
  const std::string_view above = device_path.substr(0, slash);
  const std::string parent = hwmon_label(above.substr(above.rfind('/') + 1));
  return parent.empty() || device.empty() ? device : parent + "_" + device;
}

}  // namespace fieldpost
