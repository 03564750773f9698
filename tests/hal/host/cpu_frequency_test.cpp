// SPDX-License-Identifier: Apache-2.0
#include "hal/host/cpu_frequency.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(CpuFrequencySource, GivesHertzOfEachCpuThatHasAClock) {
  CapturedTree captured;
  captured.file("/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "600000\n")
      .file("/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1500000\n")
      .file("/sys/devices/system/cpu/cpuidle/current_driver", "none\n")
      .link("/sys/devices/system/cpu/cpu0/cpufreq", "../cpufreq/policy0")
      .directory("/sys/devices/system/cpu/cpu1");
  OpenedSource frequency{open_cpu_frequency, captured.tree()};
  const std::map<std::string, std::string> expected{{"node_cpu_scaling_frequency_hertz{cpu=\"0\"}", "6e+08"},
                                                    {"node_cpu_scaling_frequency_max_hertz{cpu=\"0\"}", "1.5e+09"}};
  EXPECT_EQ(frequency.read(), expected);
}

TEST(CpuFrequencySource, IsAbsentWithoutCpufreq) {
  CapturedTree captured;
  captured.directory("/sys/devices/system/cpu/cpu0");
  const OpenedSource frequency{open_cpu_frequency, captured.tree()};
  ASSERT_TRUE(frequency.error);
  EXPECT_EQ(frequency.error->kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
