// SPDX-License-Identifier: Apache-2.0
// A captured tree is closed in itself: its links lead nowhere else.
#include "platform/file_tree.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(FileTree, KnowsTheMachine) {
  EXPECT_TRUE(FileTree{}.is_machine());
  EXPECT_TRUE(FileTree{"/"}.is_machine());
  EXPECT_TRUE(FileTree{"//"}.is_machine());
  EXPECT_FALSE(FileTree{"/tmp"}.is_machine());
  EXPECT_EQ(FileTree{"/tmp/"}.root(), "/tmp");
  EXPECT_EQ(FileTree{}.resolve("/proc/stat"), "/proc/stat");
}

TEST(FileTree, ReadsTheRealProc) {
  const FileTree machine;
  const auto text = machine.read("/proc/self/status");
  ASSERT_TRUE(text) << text.error().sentence();
  EXPECT_EQ(text->rfind("Name:", 0), 0U);
}

TEST(FileTree, ReadsBelowItsRoot) {
  CapturedTree captured;
  captured.file("/proc/uptime", "12.5 30.1\n");
  EXPECT_EQ(captured.tree().read("/proc/uptime").value(), "12.5 30.1\n");
  EXPECT_EQ(captured.tree().read_line("/proc/uptime").value(), "12.5 30.1");
}

TEST(FileTree, SaysNotPresentForWhatIsNotThere) {
  const CapturedTree captured;
  const auto text = captured.tree().read("/proc/uptime");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(text.error().sentence(), "open /proc/uptime: No such file or directory");
  EXPECT_EQ(captured.tree().list("/sys/class").error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(captured.tree().keep("/proc/stat").error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(captured.tree().read_link("/sys/x").error().kind(), ErrorKind::NotPresent);
  EXPECT_FALSE(captured.tree().exists("/proc/uptime"));
}

TEST(FileTree, ADirectoryIsNoFile) {
  CapturedTree captured;
  captured.directory("/proc/x");
  EXPECT_EQ(captured.tree().read("/proc/x").error().kind(), ErrorKind::Io);
}

TEST(FileTree, ReadsWholeNumbersOnly) {
  CapturedTree captured;
  captured.file("/a", "42\n").file("/b", "-7").file("/c", " 42 \n").file("/d", "0x10\n").file("/e", "");
  captured.file("/f", "1.5\n")
      .file("/g", "9223372036854775808\n")
      .file("/h", "9223372036854775807\n")
      .file("/i", "1 2");
  EXPECT_EQ(captured.tree().read_integer("/a").value(), 42);
  EXPECT_EQ(captured.tree().read_integer("/b").value(), -7);
  EXPECT_EQ(captured.tree().read_integer("/c").value(), 42);
  EXPECT_EQ(captured.tree().read_integer("/h").value(), 9223372036854775807);
  for (const char* path : {"/d", "/e", "/f", "/g", "/i"}) {
    const auto number = captured.tree().read_integer(path);
    ASSERT_FALSE(number) << path;
    EXPECT_EQ(number.error().kind(), ErrorKind::Malformed) << path;
  }
}

TEST(FileTree, ListsSorted) {
  CapturedTree captured;
  captured.file("/d/b", "").file("/d/a", "").directory("/d/c").directory("/empty");
  EXPECT_EQ(captured.tree().list("/d").value(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(captured.tree().list("/empty").value().empty());
}

TEST(FileTree, FollowsRelativeDeviceLinks) {
  CapturedTree captured;
  captured.file("/sys/devices/virtual/net/eth0/mtu", "1500\n");
  captured.link("/sys/class/net/eth0", "../../devices/virtual/net/eth0");
  EXPECT_EQ(captured.tree().read_integer("/sys/class/net/eth0/mtu").value(), 1500);
  EXPECT_EQ(captured.tree().list("/sys/class/net/eth0").value(), std::vector<std::string>{"mtu"});
  EXPECT_TRUE(captured.tree().exists("/sys/class/net/eth0/mtu"));
  EXPECT_EQ(captured.tree().read_link("/sys/class/net/eth0").value(), "../../devices/virtual/net/eth0");
}

TEST(FileTree, ResolvesAbsoluteLinksInsideTheTree) {
  CapturedTree captured;
  captured.file("/etc/hostname", "captured\n");
  captured.link("/etc/name", "/etc/hostname");
  captured.link("/settings", "/etc");
  EXPECT_EQ(captured.tree().read_line("/etc/name").value(), "captured");
  EXPECT_EQ(captured.tree().read_line("/settings/name").value(), "captured");
}

TEST(FileTree, NoLinkLeadsOutOfTheTree) {
  CapturedTree captured;
  captured.link("/out", "../../../../../../../../../../proc/version");
  captured.link("/absolute", "/proc/version");
  EXPECT_EQ(captured.tree().read("/out").error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(captured.tree().read("/absolute").error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(captured.tree().read("/../../../../../proc/version").error().kind(), ErrorKind::NotPresent);
  captured.file("/proc/version", "captured kernel\n");
  EXPECT_EQ(captured.tree().read("/out").value(), "captured kernel\n");
  EXPECT_EQ(captured.tree().read("/../../proc/version").value(), "captured kernel\n");
}

TEST(FileTree, DotDotAfterALinkIsTheTargetsParent) {
  CapturedTree captured;
  captured.file("/sys/devices/pci0/vendor", "0x8086\n");
  captured.directory("/sys/devices/pci0/net/eth0");
  captured.link("/sys/class/net/eth0", "../../devices/pci0/net/eth0");
  EXPECT_EQ(captured.tree().read_line("/sys/class/net/eth0/../../vendor").value(), "0x8086");
}

TEST(FileTree, ALoopOfLinksIsAnErrorNotAHang) {
  CapturedTree captured;
  captured.link("/a", "b").link("/b", "a").link("/self", "self/self");
  EXPECT_EQ(captured.tree().read("/a").error().kind(), ErrorKind::Io);
  EXPECT_FALSE(captured.tree().exists("/a"));
  EXPECT_EQ(captured.tree().list("/self").error().kind(), ErrorKind::Io);
}

TEST(FileTree, FollowsFortyLinksAndNoMore) {
  CapturedTree captured;
  captured.file("/l0", "end");
  for (int i = 1; i <= 41; ++i) captured.link("/l" + std::to_string(i), "/l" + std::to_string(i - 1));
  EXPECT_EQ(captured.tree().read("/l40").value(), "end");
  EXPECT_FALSE(captured.tree().read("/l41"));
}

TEST(FileTree, IsNotLeftThroughTheFortyFirstLink) {
  CapturedTree captured;
  captured.link("/l0", "/proc/version");  // here it does not exist; on the machine it does
  for (int i = 1; i <= 41; ++i) captured.link("/l" + std::to_string(i), "/l" + std::to_string(i - 1));
  EXPECT_EQ(captured.tree().read("/l41").error().kind(), ErrorKind::Io);
  EXPECT_EQ(captured.tree().read("/l40").error().kind(), ErrorKind::Io);
  EXPECT_EQ(captured.tree().read("/l39").error().kind(), ErrorKind::NotPresent);
}

TEST(FileTree, ReadsFilesUpToItsBoundAndRefusesOneByteMore) {
  CapturedTree captured;
  captured.file("/largest", std::string(FileTree::kFileBytesMax, 'x'));
  captured.file("/larger", std::string(FileTree::kFileBytesMax + 1, 'x'));
  EXPECT_EQ(captured.tree().read("/largest").value().size(), FileTree::kFileBytesMax);
  const auto larger = captured.tree().read("/larger");
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().kind(), ErrorKind::OutOfRange);

  EXPECT_EQ(captured.tree().keep("/largest")->read()->size(), FileTree::kFileBytesMax);
  EXPECT_EQ(captured.tree().keep("/larger")->read().error().kind(), ErrorKind::OutOfRange);
}

TEST(KeptFile, SeesWhatChanged) {
  CapturedTree captured;
  captured.file("/f", "first, and longer");
  KeptFile file = captured.tree().keep("/f").value();
  EXPECT_EQ(file.read().value(), "first, and longer");
  captured.file("/f", "second");
  EXPECT_EQ(file.read().value(), "second");
  captured.file("/f", "");
  EXPECT_EQ(file.read().value(), "");
  EXPECT_EQ(file.path(), "/f");
}

TEST(KeptFile, ReadsFilesOfEveryLengthAroundItsBuffers) {
  CapturedTree captured;
  for (const std::size_t size :
       {0U, 1U, 2047U, 2048U, 2049U, 4095U, 4096U, 4097U, 8191U, 8192U, 8193U, 100'000U}) {
    const std::string content(size, 'y');
    captured.file("/f", content);
    KeptFile file = captured.tree().keep("/f").value();
    EXPECT_EQ(file.read().value(), content) << size;
    EXPECT_EQ(file.read().value(), content) << size;
  }
}

TEST(KeptFile, ReadsRealKernelFilesWhole) {
  const FileTree machine;
  for (const char* path : {"/proc/stat", "/proc/meminfo", "/proc/self/maps", "/proc/loadavg"}) {
    if (!machine.exists(path)) continue;
    KeptFile file = machine.keep(path).value();
    ASSERT_TRUE(file.read()) << path;
    const std::string_view text = file.read().value();
    ASSERT_FALSE(text.empty()) << path;
    EXPECT_EQ(text.back(), '\n') << path;
  }
}

TEST(KeptFile, DescriptorsCloseOnExec) {
  CapturedTree captured;
  captured.file("/f", "x");
  const int next = ::dup(0);  // the number the next descriptor gets
  ::close(next);
  const KeptFile file = captured.tree().keep("/f").value();
  EXPECT_NE(::fcntl(next, F_GETFD) & FD_CLOEXEC, 0);
}

}  // namespace
}  // namespace fieldpost
