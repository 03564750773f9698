// SPDX-License-Identifier: Apache-2.0
#include "hal/host/time.hpp"

#include <cstdlib>
#include <ctime>

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(TimeSource, OfACapturedTreeStandsStill) {
  CapturedTree captured;
  captured.file("/proc/uptime", "250123.45 980123.40\n").file("/captured/time", "1795250123\n");
  OpenedSource time{open_time, captured.tree()};
  const std::map<std::string, std::string> expected{{"node_time_seconds", "1.795250123e+09"},
                                                    {"fieldpost_uptime_seconds", "250123.45"}};
  EXPECT_EQ(time.read(), expected);
}

TEST(TimeSource, OfTheMachineIsItsWallClock) {
  OpenedSource time{open_time, machine_tree()};
  const double before = static_cast<double>(::time(nullptr)) - 1;
  const double value = std::strtod(time.read().at("node_time_seconds").c_str(), nullptr);
  EXPECT_GE(value, before);
  EXPECT_LE(value, static_cast<double>(::time(nullptr)) + 1);
}

TEST(Uptime, ThatIsCutIsMalformed) {
  EXPECT_EQ(parse_uptime("").error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(parse_uptime("12.3").error().kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
