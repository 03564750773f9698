// SPDX-License-Identifier: Apache-2.0
#include "hal/host/identity.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(OsRelease, TakesQuotesAndEscapesOff) {
  const auto facts = parse_os_release("# comment\nID=debian\nNAME=\"A \\\"B\\\"\"\nX='single'\n=none\nno equals\nEND=1");
  EXPECT_EQ(facts, (std::map<std::string, std::string>{{"ID", "debian"}, {"NAME", "A \"B\""}, {"X", "single"}, {"END", "1"}}));
}

TEST(IdentitySource, LabelsKernelAndSystem) {
  CapturedTree captured;
  captured.file("/proc/sys/kernel/osrelease", "6.1.21-v8+\n")
      .file("/proc/sys/kernel/hostname", "gateway-7\n")
      .file("/proc/sys/kernel/version", "#1642 SMP\n")
      .file("/captured/machine", "aarch64\n")
      .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  OpenedSource identity{open_identity, captured.tree()};
  const auto values = identity.read();
  EXPECT_EQ(values.size(), 2U);
  EXPECT_TRUE(values.contains(
      "node_uname_info{domainname=\"(none)\",machine=\"aarch64\",nodename=\"gateway-7\",release=\"6.1.21-v8+\",sysname=\"Linux\",version=\"#1642 SMP\"}"));
}

TEST(IdentitySource, OfTheMachineAgreesWithUname) {
  OpenedSource identity{open_identity, machine_tree()};
  EXPECT_FALSE(identity.read().empty());
  EXPECT_NE(identity.series.all()[0].labels[1].value, "") << "machine";
}

}  // namespace
}  // namespace fieldpost
