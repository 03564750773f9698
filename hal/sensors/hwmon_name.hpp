// SPDX-License-Identifier: Apache-2.0
// node_exporter's rules for what a hwmon attribute is called and how its number is to be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hal/attribute.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// "temp1_crit_alarm" is the element "crit_alarm" of the sensor 1 of type "temp".
struct HwmonAttributeName {
  std::string type;
  std::string sensor;   ///< "temp1"; attributes of the whole chip get number 0: "update_interval0"
  std::string element;  ///< "input", "max", ...; empty for "pwm1"
  friend bool operator==(const HwmonAttributeName&, const HwmonAttributeName&) = default;
};

/// Splits a file name. Nothing for files that are no sensor attributes ("name", "uevent").
/// Source: the kernel's Documentation/hwmon/sysfs-interface.rst
std::optional<HwmonAttributeName> parse_hwmon_attribute_name(std::string_view file_name);

struct HwmonMetric {
  std::string name;
  std::string help;
  std::string unit;
  SeriesKind kind = SeriesKind::gauge;
  AttributeScale scale;
};

/// Which metric an attribute is. `has_plain` says whether the sensor also has an attribute without an
/// element ("pwm1" beside "pwm1_input"): then "_input" stays in the name.
HwmonMetric hwmon_metric(const HwmonAttributeName& attribute, bool has_plain);

/// True for limits and settings, which somebody sets and no measurement changes.
bool is_hwmon_limit(const HwmonAttributeName& attribute);

/// Lower case, everything but letters, digits, ':' and '_' made '_', no '_' at the ends.
std::string hwmon_label(std::string_view text);

/// The label "chip" of a monitor whose device has this resolved path: the device's name with its
/// parent's in front. "/sys/devices/platform/coretemp.0" -> "platform_coretemp_0".
std::string hwmon_chip(std::string_view device_path);

}  // namespace fieldpost
