// SPDX-License-Identifier: Apache-2.0
#include "hal/sensors/thermal.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

class ThermalTest : public ::testing::Test {
 protected:
  ThermalTest() {
    captured.file("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        .file("/sys/class/thermal/thermal_zone0/temp", "48686\n")
        .file("/sys/class/thermal/cooling_device0/type", "fan\n")
        .file("/sys/class/thermal/cooling_device0/cur_state", "1\n")
        .file("/sys/class/thermal/cooling_device0/max_state", "4\n");
  }
  static BootTime at(int time) { return BootTime{seconds{time}}; }
  CapturedTree captured;
};

TEST_F(ThermalTest, GivesZonesAndCoolingDevices) {
  OpenedSource thermal{open_thermal, captured.tree()};
  const std::map<std::string, std::string> expected{
      {"node_thermal_zone_temp{type=\"cpu-thermal\",zone=\"0\"}", "48.686"},
      {"node_cooling_device_cur_state{name=\"0\",type=\"fan\"}", "1"},
      {"node_cooling_device_max_state{name=\"0\",type=\"fan\"}", "4"}};
  EXPECT_EQ(thermal.read(), expected);
}

TEST_F(ThermalTest, GoesBelowZeroAndLeavesOutAZoneThatIsSwitchedOff) {
  OpenedSource thermal{open_thermal, captured.tree()};
  captured.file("/sys/class/thermal/thermal_zone0/temp", "-12000\n");
  EXPECT_EQ(thermal.read().at("node_thermal_zone_temp{type=\"cpu-thermal\",zone=\"0\"}"), "-12");
  captured.file("/sys/class/thermal/thermal_zone0/temp", "");
  EXPECT_EQ(thermal.read().size(), 2U);
  EXPECT_FALSE(thermal.error);
}

TEST_F(ThermalTest, FindsNewZonesAndOnesReplacedUnderTheSameName) {
  OpenedSource thermal{open_thermal, captured.tree()};
  thermal.read(at(1));
  captured.file("/sys/class/thermal/thermal_zone1/type", "wifi\n").file("/sys/class/thermal/thermal_zone1/temp", "30000\n");
  EXPECT_EQ(thermal.read(at(5)).size(), 3U);
  EXPECT_EQ(thermal.read(at(11)).size(), 4U);
  captured.file("/sys/class/thermal/thermal_zone1/temp", "");
  thermal.read(at(12));
  captured.remove("/sys/class/thermal/thermal_zone1")
      .file("/sys/class/thermal/thermal_zone1/type", "lte\n")
      .file("/sys/class/thermal/thermal_zone1/temp", "31000\n");
  EXPECT_EQ(thermal.read(at(30)).at("node_thermal_zone_temp{type=\"lte\",zone=\"1\"}"), "31");
}

TEST_F(ThermalTest, FailsWhenNothingCanBeRead) {
  OpenedSource thermal{open_thermal, captured.tree()};
  for (const char* file : {"thermal_zone0/temp", "cooling_device0/cur_state", "cooling_device0/max_state"}) {
    captured.file(std::string{"/sys/class/thermal/"} + file, "garbage\n");
  }
  EXPECT_TRUE(thermal.read().empty());
  ASSERT_TRUE(thermal.error);
}

}  // namespace
}  // namespace fieldpost
