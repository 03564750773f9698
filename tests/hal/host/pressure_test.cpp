// SPDX-License-Identifier: Apache-2.0
#include "hal/host/pressure.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(PressureSource, GivesTotalsInSeconds) {
  CapturedTree captured;
  captured.file("/proc/pressure/cpu", "some avg10=1.53 avg60=1.20 avg300=0.90 total=157622151\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n")
      .file("/proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
      .file("/proc/pressure/irq", "full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n");
  OpenedSource pressure{open_pressure, captured.tree()};
  const std::map<std::string, std::string> expected{
      {"node_pressure_cpu_waiting_seconds_total", "157.622151"},
      {"node_pressure_io_waiting_seconds_total", "2.5"},
      {"node_pressure_io_stalled_seconds_total", "1e-06"},
      {"node_pressure_irq_stalled_seconds_total", "1"}};
  EXPECT_EQ(pressure.read(), expected);
}

TEST(PressureSource, IsAbsentWithoutPsi) {
  const CapturedTree captured;
  const OpenedSource pressure{open_pressure, captured.tree()};
  ASSERT_TRUE(pressure.error);
  EXPECT_EQ(pressure.error->kind(), ErrorKind::NotPresent);
}

TEST(Pressure, LeavesOutWhatIsCutOrHuge) {
  EXPECT_EQ(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=12").some, std::nullopt);
  EXPECT_EQ(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=\n").some, std::nullopt);
  EXPECT_EQ(parse_pressure("some total=5\nfull\n\n").some, std::nullopt);
  EXPECT_EQ(parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=99999999999999999999\n").some, std::nullopt);
}

}  // namespace
}  // namespace fieldpost
