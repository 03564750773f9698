// SPDX-License-Identifier: Apache-2.0
#include "hal/host/memory.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(MeminfoMetricName, FollowsNodeExporter) {
  EXPECT_EQ(meminfo_metric_name("Active(anon)", true), "node_memory_Active_anon_bytes");
  EXPECT_EQ(meminfo_metric_name("MemTotal", true), "node_memory_MemTotal_bytes");
  EXPECT_EQ(meminfo_metric_name("HugePages_Total", false), "node_memory_HugePages_Total");
}

TEST(MemorySource, GivesEveryLineAndLeavesOutTheBroken) {
  CapturedTree captured;
  captured.file("/proc/meminfo",
                "MemTotal:       24684092 kB\n"
                "broken\n"
                "Active(anon):       12 kB\n"
                "Empty:          kB\n"
                "Huge:  18446744073709551615 kB\n"
                ": 7 kB\n"
                "Word: seven kB\n"
                "HugePages_Total:       3\n"
                "DirectMap2M:    2048 kB");
  OpenedSource memory{open_memory, captured.tree()};
  const auto values = memory.read();
  EXPECT_EQ(values.at("node_memory_MemTotal_bytes"), "2.5276510208e+10");
  EXPECT_EQ(values.at("node_memory_Active_anon_bytes"), "12288");
  EXPECT_EQ(values.at("node_memory_HugePages_Total"), "3");
  EXPECT_EQ(values.at("node_memory_DirectMap2M_bytes"), "2.097152e+06") << "the number itself is whole";
  EXPECT_EQ(values.size(), 4U) << "bytes that do not fit into 64 bits are not believed";
}

TEST(MemorySource, FindsLinesThatMoved) {
  CapturedTree captured;
  captured.file("/proc/meminfo", "A: 1 kB\nB: 2 kB\nC: 3 kB\n");
  OpenedSource memory{open_memory, captured.tree()};
  memory.read();
  captured.file("/proc/meminfo", "C: 30 kB\nNew: 4\nA: 10 kB\n");
  const auto values = memory.read();
  EXPECT_EQ(values.at("node_memory_C_bytes"), "30720");
  EXPECT_EQ(values.at("node_memory_A_bytes"), "10240");
  EXPECT_EQ(values.at("node_memory_New"), "4");
  EXPECT_EQ(values.size(), 3U);
}

TEST(MemorySource, ReportsAFileThatIsNoMeminfo) {
  CapturedTree captured;
  captured.file("/proc/meminfo", "nothing here\n");
  OpenedSource memory{open_memory, captured.tree()};
  EXPECT_TRUE(memory.read().empty());
  ASSERT_TRUE(memory.error);
  EXPECT_EQ(memory.error->kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
