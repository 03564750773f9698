// SPDX-License-Identifier: Apache-2.0
#include "hal/sensors/hwmon.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

constexpr const char* kLm75 = "/sys/devices/i2c-1/1-0048";

class HwmonTest : public ::testing::Test {
 protected:
  HwmonTest() { add_chip(kLm75, "hwmon0", "lm75"); }

  void add_chip(const std::string& device, const std::string& monitor, const std::string& name) {
    captured.file(device + "/hwmon/" + monitor + "/name", name + "\n")
        .file(device + "/hwmon/" + monitor + "/temp1_input", "25500\n")
        .link(device + "/hwmon/" + monitor + "/device", "../../../" + device.substr(device.rfind('/') + 1))
        .link("/sys/class/hwmon/" + monitor, "../../" + device.substr(5) + "/hwmon/" + monitor);
  }
  std::string attribute(const std::string& name) const { return std::string{kLm75} + "/hwmon/hwmon0/" + name; }
  static std::string sensor(const std::string& metric, const std::string& chip = "i2c_1_1_0048", const std::string& sensor = "temp1") {
    return metric + "{chip=\"" + chip + "\",sensor=\"" + sensor + "\"}";
  }
  static BootTime at(int time) { return BootTime{seconds{time}}; }

  CapturedTree captured;
};

TEST_F(HwmonTest, GivesMeasurementsLimitsAndNames) {
  captured.file(attribute("temp1_max"), "80000\n")
      .file(attribute("temp1_label"), "Board\n")
      .file(attribute("update_interval"), "300\n")
      .file(attribute("power/runtime_status"), "unsupported\n");
  OpenedSource hwmon{open_hwmon, captured.tree()};
  const std::map<std::string, std::string> expected{
      {sensor("node_hwmon_temp_celsius"), "25.5"},
      {sensor("node_hwmon_temp_max_celsius"), "80"},
      {sensor("node_hwmon_update_interval_seconds", "i2c_1_1_0048", "update_interval0"), "0.3"},
      {"node_hwmon_chip_names{chip=\"i2c_1_1_0048\",chip_name=\"lm75\"}", "1"},
      {"node_hwmon_sensor_label{chip=\"i2c_1_1_0048\",label=\"Board\",sensor=\"temp1\"}", "1"}};
  EXPECT_EQ(hwmon.read(), expected);
}

TEST_F(HwmonTest, LeavesOutASensorThatDoesNotAnswerAndReadsTheOthers) {
  add_chip("/sys/devices/i2c-1/1-0049", "hwmon1", "lm75");
  OpenedSource hwmon{open_hwmon, captured.tree()};
  EXPECT_EQ(hwmon.read(at(1)).size(), 4U);
  captured.file(attribute("temp1_input"), "");
  const auto values = hwmon.read(at(2));
  EXPECT_FALSE(values.contains(sensor("node_hwmon_temp_celsius"))) << "empty is no answer, not 0 degrees";
  EXPECT_EQ(values.at(sensor("node_hwmon_temp_celsius", "i2c_1_1_0049")), "25.5");
  EXPECT_FALSE(hwmon.error);
}

TEST_F(HwmonTest, FailsWhenNoSensorAnswers) {
  OpenedSource hwmon{open_hwmon, captured.tree()};
  captured.file(attribute("temp1_input"), "");
  hwmon.read();
  ASSERT_TRUE(hwmon.error);
  EXPECT_EQ(hwmon.error->kind(), ErrorKind::Malformed);
}

TEST_F(HwmonTest, FindsChipsThatComeAndGoWithinTenSeconds) {
  OpenedSource hwmon{open_hwmon, captured.tree()};
  hwmon.read(at(1));
  add_chip("/sys/devices/usb1/1-1", "hwmon7", "stick");
  EXPECT_FALSE(hwmon.read(at(10)).contains(sensor("node_hwmon_temp_celsius", "usb1_1_1")));
  EXPECT_TRUE(hwmon.read(at(11)).contains(sensor("node_hwmon_temp_celsius", "usb1_1_1")));
  captured.remove("/sys/class/hwmon/hwmon0");
  EXPECT_FALSE(hwmon.read(at(30)).contains(sensor("node_hwmon_temp_celsius")));
}

TEST_F(HwmonTest, ReadsLimitsOnceAMinute) {
  captured.file(attribute("temp1_max"), "80000\n");
  OpenedSource hwmon{open_hwmon, captured.tree()};
  hwmon.read(at(1));
  captured.file(attribute("temp1_max"), "70000\n").file(attribute("temp1_input"), "26000\n");
  auto values = hwmon.read(at(59));
  EXPECT_EQ(values.at(sensor("node_hwmon_temp_celsius")), "26");
  EXPECT_EQ(values.at(sensor("node_hwmon_temp_max_celsius")), "80");
  values = hwmon.read(at(61));
  EXPECT_EQ(values.at(sensor("node_hwmon_temp_max_celsius")), "70");
}

TEST_F(HwmonTest, TellsTwoMonitorsOfOneDeviceApartByTheChipsName) {
  add_chip(kLm75, "hwmon1", "Other Chip");
  OpenedSource hwmon{open_hwmon, captured.tree()};
  const auto values = hwmon.read();
  EXPECT_TRUE(values.contains(sensor("node_hwmon_temp_celsius")));
  EXPECT_TRUE(values.contains(sensor("node_hwmon_temp_celsius", "i2c_1_1_0048_other_chip")));
}

TEST(Hwmon, WithoutADeviceIsCalledByItsNameOrNumber) {
  CapturedTree captured;
  captured.file("/sys/class/hwmon/hwmon0/name", "acpitz\n")
      .file("/sys/class/hwmon/hwmon0/temp1_input", "1000\n")
      .file("/sys/class/hwmon/hwmon3/temp1_input", "2000\n");
  OpenedSource hwmon{open_hwmon, captured.tree()};
  const auto values = hwmon.read();
  EXPECT_EQ(values.at("node_hwmon_temp_celsius{chip=\"acpitz\",sensor=\"temp1\"}"), "1");
  EXPECT_EQ(values.at("node_hwmon_temp_celsius{chip=\"hwmon3\",sensor=\"temp1\"}"), "2");
}

TEST(Hwmon, IsAbsentWithoutAChip) {
  CapturedTree captured;
  captured.directory("/sys/class/hwmon");
  const OpenedSource hwmon{open_hwmon, captured.tree()};
  ASSERT_TRUE(hwmon.error);
  EXPECT_EQ(hwmon.error->kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
