// SPDX-License-Identifier: Apache-2.0
#include "hal/host/kernel_limits.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(KernelLimitsSource, GivesFilesAndEntropy) {
  CapturedTree captured;
  captured.file("/proc/sys/fs/file-nr", "638\t0\t2466177\n")
      .file("/proc/sys/kernel/random/entropy_avail", "256\n")
      .file("/proc/sys/kernel/random/poolsize", "256\n");
  OpenedSource limits{open_kernel_limits, captured.tree()};
  const std::map<std::string, std::string> expected{{"node_filefd_allocated", "638"},
                                                    {"node_filefd_maximum", "2.466177e+06"},
                                                    {"node_entropy_available_bits", "256"},
                                                    {"node_entropy_pool_size_bits", "256"}};
  EXPECT_EQ(limits.read(), expected);
}

TEST(KernelLimitsSource, GivesWhatThereIs) {
  CapturedTree captured;
  captured.file("/proc/sys/fs/file-nr", "638\t0\n");
  OpenedSource limits{open_kernel_limits, captured.tree()};
  EXPECT_EQ(limits.read(), (std::map<std::string, std::string>{{"node_filefd_allocated", "638"}}));
}

}  // namespace
}  // namespace fieldpost
