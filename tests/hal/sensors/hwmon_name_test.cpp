// SPDX-License-Identifier: Apache-2.0
#include "hal/sensors/hwmon_name.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(HwmonAttributeName, IsSplitIntoTypeSensorAndElement) {
  EXPECT_EQ(parse_hwmon_attribute_name("temp1_input"), (HwmonAttributeName{"temp", "temp1", "input"}));
  EXPECT_EQ(parse_hwmon_attribute_name("temp12_crit_alarm"), (HwmonAttributeName{"temp", "temp12", "crit_alarm"}));
  EXPECT_EQ(parse_hwmon_attribute_name("pwm1"), (HwmonAttributeName{"pwm", "pwm1", ""}));
  EXPECT_EQ(parse_hwmon_attribute_name("update_interval"), (HwmonAttributeName{"update_interval", "update_interval0", ""}));
  EXPECT_EQ(parse_hwmon_attribute_name("in007_min"), (HwmonAttributeName{"in", "in7", "min"}));
}

TEST(HwmonAttributeName, IsNothingForOtherFiles) {
  for (const char* file : {"name", "uevent", "temp1_", "temp1x", "temp1234567_input", "", "1", "_input", "freq1_input", "temp1 input"}) {
    EXPECT_EQ(parse_hwmon_attribute_name(file), std::nullopt) << file;
  }
}

TEST(HwmonMetric, HasNodeExportersNameAndScale) {
  const auto name = [](const char* file, bool has_plain = false) {
    return hwmon_metric(*parse_hwmon_attribute_name(file), has_plain).name;
  };
  EXPECT_EQ(name("temp1_input"), "node_hwmon_temp_celsius");
  EXPECT_EQ(name("temp1_crit_alarm"), "node_hwmon_temp_crit_alarm_celsius") << "a flag with a unit; dashboards know it so";
  EXPECT_EQ(name("temp1_alarm"), "node_hwmon_temp_alarm");
  EXPECT_EQ(name("temp1_type"), "node_hwmon_temp_type");
  EXPECT_EQ(name("in0_input"), "node_hwmon_in_volts");
  EXPECT_EQ(name("fan1_input"), "node_hwmon_fan_rpm");
  EXPECT_EQ(name("fan1_pulses"), "node_hwmon_fan_pulses");
  EXPECT_EQ(name("pwm1"), "node_hwmon_pwm");
  EXPECT_EQ(name("pwm1_input", true), "node_hwmon_pwm_input");
  EXPECT_EQ(name("in0_beep"), "node_hwmon_in_beep_enabled");
  EXPECT_EQ(name("power1_average_interval"), "node_hwmon_power_average_interval_seconds");
  EXPECT_EQ(name("power1_accuracy"), "node_hwmon_power_accuracy");
  EXPECT_EQ(name("energy1_input"), "node_hwmon_energy_joule_total");
  EXPECT_EQ(name("intrusion0_alarm"), "node_hwmon_intrusion_alarm");
  EXPECT_EQ(name("update_interval"), "node_hwmon_update_interval_seconds");
  EXPECT_EQ(hwmon_metric(*parse_hwmon_attribute_name("energy1_input"), false).kind, SeriesKind::counter);
  EXPECT_EQ(hwmon_metric(*parse_hwmon_attribute_name("power1_input"), false).scale.over, 1e6);
  EXPECT_EQ(hwmon_metric(*parse_hwmon_attribute_name("temp1_input"), false).scale.times, 0.001);
  EXPECT_TRUE(hwmon_metric(*parse_hwmon_attribute_name("fan1_input"), false).scale.is_one());
}

TEST(HwmonLimit, IsWhatNoMeasurementChanges) {
  for (const char* file : {"temp1_max", "temp1_max_hyst", "in0_lcrit", "update_interval", "fan1_div", "power1_cap"}) {
    EXPECT_TRUE(is_hwmon_limit(*parse_hwmon_attribute_name(file))) << file;
  }
  for (const char* file : {"temp1_input", "temp1_alarm", "temp1_max_alarm", "pwm1", "pwm1_enable", "fan1_target", "temp1_lowest", "power1_average"}) {
    EXPECT_FALSE(is_hwmon_limit(*parse_hwmon_attribute_name(file))) << file;
  }
}

TEST(HwmonChip, IsNamedAfterItsDeviceAndTheParentOfThat) {
  EXPECT_EQ(hwmon_chip("/sys/devices/platform/coretemp.0"), "platform_coretemp_0");
  EXPECT_EQ(hwmon_chip("/sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0048"), "i2c_1_1_0048");
  EXPECT_EQ(hwmon_chip("/sys/devices/platform/soc/soc:firmware/raspberrypi-hwmon"), "soc:firmware_raspberrypi_hwmon");
  EXPECT_EQ(hwmon_chip("/x"), "x");
  EXPECT_EQ(hwmon_chip("x"), "x");
  EXPECT_EQ(hwmon_chip("/a/..."), "") << "nothing left of the device";
}

TEST(HwmonLabel, KeepsOnlyWhatALabelMayHave) {
  EXPECT_EQ(hwmon_label("Core 0"), "core_0");
  EXPECT_EQ(hwmon_label("__a-b__"), "a_b");
  EXPECT_EQ(hwmon_label("---"), "");
  EXPECT_EQ(hwmon_label(""), "");
}

}  // namespace
}  // namespace fieldpost
