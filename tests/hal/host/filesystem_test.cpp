// SPDX-License-Identifier: Apache-2.0
#include "hal/host/filesystem.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(Mountinfo, IsParsedWithTagsEscapesAndOptions) {
  const auto mounts = parse_mountinfo(
      "22 1 179:2 / / rw,noatime shared:1 master:2 - ext4 /dev/root rw\n"
      "30 22 8:1 / /media/video\\040archive ro,noatime - ext4 /dev/sda\\0111 ro\n"
      "31 22 8:1 / /media/back\\134slash rw - vfat /dev/sdb rw\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0], (Mount{"/dev/root", "/", "ext4", false}));
  EXPECT_EQ(mounts[1], (Mount{"/dev/sda\t1", "/media/video archive", "ext4", true}));
  EXPECT_EQ(mounts[2].mount_point, "/media/back\\slash");
}

TEST(Mountinfo, LeavesOutWhatIsBrokenAndWhatIsThereTwice) {
  const auto mounts = parse_mountinfo(
      "\n1\n22 1 179:2 / / rw shared:1 ext4 /dev/root rw\n22 1 179:2 / relative rw - ext4 /dev/x rw\n"
      "22 1 0:1 / /a rw - tmpfs\n22 1 0:1 / /a rw - tmpfs tmpfs rw\n23 1 0:2 / /a rw - tmpfs tmpfs rw\n"
      "24 1 0:2 / /b\\04 rw - tmpfs tmpfs");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].mount_point, "/a");
  EXPECT_EQ(mounts[1].mount_point, "/b\\04") << "a broken escape stays as it stands";
}

TEST(PseudoMount, IsWhatNodeExporterLeavesOut) {
  const auto pseudo = [](const char* place, const char* type) { return is_pseudo_mount({"x", place, type, false}); };
  EXPECT_TRUE(pseudo("/dev", "tmpfs"));
  EXPECT_TRUE(pseudo("/dev/shm", "tmpfs"));
  EXPECT_FALSE(pseudo("/device", "tmpfs"));
  EXPECT_TRUE(pseudo("/sys/fs/cgroup", "tmpfs"));
  EXPECT_TRUE(pseudo("/run/credentials/x.service", "ramfs"));
  EXPECT_FALSE(pseudo("/run", "tmpfs"));
  EXPECT_TRUE(pseudo("/var/lib/docker/overlay2/x", "ext4"));
  EXPECT_FALSE(pseudo("/var/lib/docker", "ext4"));
  EXPECT_TRUE(pseudo("/a", "overlay"));
  EXPECT_TRUE(pseudo("/snap/x", "squashfs"));
  EXPECT_FALSE(pseudo("/boot/firmware", "vfat"));
}

class FilesystemSourceTest : public ::testing::Test {
 protected:
  FilesystemSourceTest() {
    captured.file("/proc/1/mountinfo",
                  "1 0 8:1 / / rw - ext4 /dev/root rw\n2 1 0:40 / /mnt/nas rw - nfs4 nas:/export rw\n"
                  "3 1 8:2 / /mnt/usb ro - vfat /dev/sdb1 ro\n")
        .file("/captured/statfs", "/ 4096 100 40 30 20 10\n/mnt/nas 1024 9 9 9 9 9\n");
  }
  CapturedTree captured;
};

TEST_F(FilesystemSourceTest, GivesSpaceAndAnErrorWhereThereIsNone) {
  OpenedSource filesystem{open_filesystem, captured.tree()};
  const auto values = filesystem.read();
  const std::string root = "{device=\"/dev/root\",fstype=\"ext4\",mountpoint=\"/\"}";
  EXPECT_EQ(values.at("node_filesystem_size_bytes" + root), "409600");
  EXPECT_EQ(values.at("node_filesystem_free_bytes" + root), "163840");
  EXPECT_EQ(values.at("node_filesystem_avail_bytes" + root), "122880");
  EXPECT_EQ(values.at("node_filesystem_files" + root), "20");
  EXPECT_EQ(values.at("node_filesystem_files_free" + root), "10");
  EXPECT_EQ(values.at("node_filesystem_readonly" + root), "0");
  EXPECT_EQ(values.at("node_filesystem_device_error" + root), "0");
  const std::string stick = "{device=\"/dev/sdb1\",fstype=\"vfat\",mountpoint=\"/mnt/usb\"}";
  EXPECT_EQ(values.at("node_filesystem_readonly" + stick), "1");
  EXPECT_EQ(values.at("node_filesystem_device_error" + stick), "1");
  EXPECT_FALSE(values.contains("node_filesystem_size_bytes" + stick));
  EXPECT_EQ(values.size(), 9U) << "the NFS mount is not asked";
}

TEST_F(FilesystemSourceTest, AsksNetworkMountsWhenTold) {
  OpenedSource filesystem{open_filesystem, captured.tree(), {{"network_mounts", true}}};
  EXPECT_EQ(filesystem.read().at("node_filesystem_size_bytes{device=\"nas:/export\",fstype=\"nfs4\",mountpoint=\"/mnt/nas\"}"), "9216");
}

TEST_F(FilesystemSourceTest, FollowsMountsThatComeAndGo) {
  OpenedSource filesystem{open_filesystem, captured.tree()};
  filesystem.read();
  captured.file("/proc/1/mountinfo", "1 0 8:1 / / ro - ext4 /dev/root rw\n");
  const auto values = filesystem.read();
  EXPECT_EQ(values.size(), 7U);
  EXPECT_EQ(values.at("node_filesystem_readonly{device=\"/dev/root\",fstype=\"ext4\",mountpoint=\"/\"}"), "1")
      << "remounted read-only after an error of the card";
}

TEST(FilesystemSource, AsksTheKernelOnTheMachineItself) {
  OpenedSource filesystem{open_filesystem, machine_tree()};
  EXPECT_FALSE(filesystem.read().empty());
  EXPECT_FALSE(filesystem.error);
}

TEST(CapturedStatfs, ThatIsCutIsMalformed) {
  EXPECT_EQ(parse_captured_statfs("/ 4096 1 2 3\n", "/").error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(parse_captured_statfs("", "/").error().kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
