// SPDX-License-Identifier: Apache-2.0
#include "hal/host/vmstat.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(VmstatLine, IsOfInterestAsInNodeExporter) {
  for (const char* key : {"oom_kill", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault"}) {
    EXPECT_TRUE(is_vmstat_line_of_interest(key)) << key;
  }
  for (const char* key : {"nr_free_pages", "pgfree", "pgalloc_dma", "numa_pte_updates", "", "pg"}) {
    EXPECT_FALSE(is_vmstat_line_of_interest(key)) << key;
  }
}

TEST(VmstatSource, FindsItsLinesAgainWhenTheyMove) {
  CapturedTree captured;
  captured.file("/proc/vmstat", "nr_free_pages 5\npgpgin 10\npgfree 1\npgfault 20\n");
  OpenedSource vmstat{open_vmstat, captured.tree()};
  EXPECT_EQ(vmstat.read(), (std::map<std::string, std::string>{{"node_vmstat_pgpgin", "10"}, {"node_vmstat_pgfault", "20"}}));
  captured.file("/proc/vmstat", "pgfault 21\nextra 4\noom_kill 1\npgpgin 11\n");
  EXPECT_EQ(vmstat.read(), (std::map<std::string, std::string>{
                               {"node_vmstat_pgpgin", "11"}, {"node_vmstat_pgfault", "21"}, {"node_vmstat_oom_kill", "1"}}));
}

TEST(VmstatSource, ReportsTextThatItCannotRead) {
  for (const char* text : {"", "nr_free_pages 5\n", "pgpgin\n", "pgpgin many\n", "pgpgin 99999999999999999999\n", "pgpgin 1"}) {
    CapturedTree captured;
    captured.file("/proc/vmstat", text);
    OpenedSource vmstat{open_vmstat, captured.tree()};
    EXPECT_TRUE(vmstat.read().empty()) << text;
    ASSERT_TRUE(vmstat.error) << text;
    EXPECT_EQ(vmstat.error->kind(), ErrorKind::Malformed);
  }
}

}  // namespace
}  // namespace fieldpost
