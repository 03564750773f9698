// SPDX-License-Identifier: Apache-2.0
#include "hal/host/cpu.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

constexpr const char* kStat =
    "cpu  30 0 0 300 0 0 0 0 0 0\n"
    "cpu0 10 1 2 100 5 6 7 8 9 11\n"
    "cpu1 20 0 0 200 0 0 0 0 0 0\n"
    "intr 4242 1 2 3 4 5\n"
    "ctxt 777\n"
    "btime 1795000000\n"
    "processes 99\n"
    "procs_running 2\n"
    "procs_blocked 1\n"
    "softirq 5 1 2\n";

TEST(ProcStat, IsParsedWhole) {
  ProcStat stat;
  ASSERT_TRUE(parse_proc_stat(kStat, stat));
  ASSERT_EQ(stat.cpus.size(), 2U);
  EXPECT_EQ(stat.cpus[0].ticks, (std::array<std::uint64_t, 10>{10, 1, 2, 100, 5, 6, 7, 8, 9, 11}));
  EXPECT_EQ(stat.interrupts, 4242U);
  EXPECT_EQ(stat.context_switches, 777U);
  EXPECT_EQ(stat.boot_time, 1795000000U);
  EXPECT_EQ(stat.forks, 99U);
  EXPECT_EQ(stat.running, 2U);
  EXPECT_EQ(stat.blocked, 1U);
}

TEST(ProcStat, LeavesOutWhatIsCutOrMissing) {
  ProcStat stat;
  ASSERT_TRUE(parse_proc_stat("cpu0 1 2 3 4\ncpu1 1 2 3\ncpu2 1 2 3 99999999999999999999\ncpuX 1 2 3 4\nctxt \nprocesses 12", stat));
  ASSERT_EQ(stat.cpus.size(), 1U) << "cpu0 of an old kernel has four fields; the others are no lines";
  EXPECT_EQ(stat.cpus[0].number, 0U);
  EXPECT_EQ(stat.context_switches, std::nullopt);
  EXPECT_EQ(stat.forks, std::nullopt) << "may have been cut in the middle";
}

TEST(ProcStat, ThatSaysNothingIsMalformed) {
  ProcStat stat;
  for (const char* text : {"", "\n", "hello\n", "cpu\n", "\0\0\0"}) {
    const auto parsed = parse_proc_stat(text, stat);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::Malformed);
  }
}

TEST(CpuSource, GivesSecondsOfEachCpuAndMode) {
  CapturedTree captured;
  captured.file("/proc/stat", kStat);
  OpenedSource cpu{open_cpu, captured.tree()};
  const auto values = cpu.read();
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"0\",mode=\"user\"}"), "0.1");
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"}"), "0.08");
  EXPECT_EQ(values.at("node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"}"), "0.11");
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"}"), "2");
  EXPECT_EQ(values.at("node_intr_total"), "4242");
  EXPECT_EQ(values.at("node_boot_time_seconds"), "1.795e+09");
  EXPECT_EQ(values.size(), 26U);
}

TEST(CpuSource, NeverLetsACounterStepBackUnlessTheCpuStartedAnew) {
  CapturedTree captured;
  captured.file("/proc/stat", "cpu0 10 0 0 1000 50 0 0 0 0 0\n");
  OpenedSource cpu{open_cpu, captured.tree()};
  const std::string iowait = "node_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"}";
  EXPECT_EQ(cpu.read().at(iowait), "0.5");
  captured.file("/proc/stat", "cpu0 10 0 0 1010 49 0 0 0 0 0\n");
  EXPECT_EQ(cpu.read().at(iowait), "0.5") << "the kernel's iowait may fall by a tick";
  captured.file("/proc/stat", "cpu0 1 0 0 5 3 0 0 0 0 0\n");
  EXPECT_EQ(cpu.read().at(iowait), "0.03") << "idle fell by ten seconds: the CPU was away";
}

TEST(CpuSource, FollowsCpusThatGoAndComeBack) {
  CapturedTree captured;
  captured.file("/proc/stat", "cpu0 1 0 0 1 0\ncpu1 1 0 0 1 0\ncpu2 1 0 0 1 0\n");
  OpenedSource cpu{open_cpu, captured.tree()};
  cpu.read();
  captured.file("/proc/stat", "cpu0 1 0 0 1 0\ncpu2 5 0 0 1 0\n");
  auto values = cpu.read();
  EXPECT_FALSE(values.contains("node_cpu_seconds_total{cpu=\"1\",mode=\"user\"}"));
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"2\",mode=\"user\"}"), "0.05");
  captured.file("/proc/stat", "cpu0 1 0 0 1 0\ncpu1 2 0 0 1 0\ncpu2 5 0 0 1 0\ncpu9 4 0 0 1 0\n");
  values = cpu.read();
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"1\",mode=\"user\"}"), "0.02");
  EXPECT_EQ(values.at("node_cpu_seconds_total{cpu=\"9\",mode=\"user\"}"), "0.04");
}

TEST(CpuSource, ReportsAReadThatGivesNothing) {
  CapturedTree captured;
  captured.file("/proc/stat", kStat);
  OpenedSource cpu{open_cpu, captured.tree()};
  captured.file("/proc/stat", "garbage\n");
  EXPECT_TRUE(cpu.read().empty());
  ASSERT_TRUE(cpu.error);
  EXPECT_EQ(cpu.error->kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
