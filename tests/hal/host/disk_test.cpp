// SPDX-License-Identifier: Apache-2.0
#include "hal/host/disk.hpp"

#include "tests/hal/opened_source.hpp"
#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

TEST(DiskOfInterest, IsWhatNodeExporterKeeps) {
  for (const char* kept : {"sda", "vda", "xvda", "nvme0n1", "mmcblk0", "mmcblk0p1", "md0", "dm-0", "sr0", "sdaa1", "loop", "ram", "nvme0n1px", "hd", "sd1"}) {
    EXPECT_TRUE(is_disk_of_interest(kept)) << kept;
  }
  for (const char* dropped : {"ram0", "zram1", "loop12", "fd0", "sda1", "hdb12", "vda15", "xvda1", "nvme0n1p1", "nvme10n12p3"}) {
    EXPECT_FALSE(is_disk_of_interest(dropped)) << dropped;
  }
}

TEST(DiskSource, ConvertsSectorsAndMilliseconds) {
  CapturedTree captured;
  captured.file("/proc/diskstats",
                "   7       0 loop0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
                " 254       0 vda 31626 7987 2956490 11425 2513 11821 1509280 2453 3 4504 14126 3910 55 388096 238 194 9\n");
  OpenedSource disk{open_disk, captured.tree()};
  const auto values = disk.read();
  EXPECT_EQ(values.size(), 18U);
  EXPECT_EQ(values.at("node_disk_reads_completed_total{device=\"vda\"}"), "31626");
  EXPECT_EQ(values.at("node_disk_read_bytes_total{device=\"vda\"}"), "1.51372288e+09");
  EXPECT_EQ(values.at("node_disk_read_time_seconds_total{device=\"vda\"}"), "11.425");
  EXPECT_EQ(values.at("node_disk_io_now{device=\"vda\"}"), "3");
  EXPECT_EQ(values.at("node_disk_discarded_sectors_total{device=\"vda\"}"), "388096") << "stays in sectors";
  EXPECT_EQ(values.at("node_disk_flush_requests_time_seconds_total{device=\"vda\"}"), "0.009000000000000001")
      << "as node_exporter's multiplication rounds it";
  EXPECT_EQ(values.at("node_disk_info{device=\"vda\",major=\"254\",minor=\"0\",model=\"\",path=\"\",revision=\"\",serial=\"\",wwn=\"\"}"), "1");
}

TEST(DiskSource, ReadsTheFieldsThatAnOlderKernelHas) {
  CapturedTree captured;
  captured.file("/proc/diskstats", " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n 8 16 sdb 1 2 3 4 5 6 7 8 9 10\n 8 32 sdc\n8\nx y z\n 8 48 sdd 1 2 3 4 5 6 7 8 9 10 1");
  OpenedSource disk{open_disk, captured.tree()};
  const auto values = disk.read();
  EXPECT_EQ(values.at("node_disk_io_time_weighted_seconds_total{device=\"sda\"}"), "0.011");
  EXPECT_FALSE(values.contains("node_disk_discards_completed_total{device=\"sda\"}"));
  EXPECT_EQ(values.size(), 12U) << "ten fields are too few, and a line without its end may be cut";
}

TEST(DiskSource, KeepsCountersOfTheFullRange) {
  CapturedTree captured;
  captured.file("/proc/diskstats",
                " 8 0 sda 18446744073709551615 2 36028797018963967 4 5 6 7 8 9 10 11\n"
                " 8 16 sdb 18446744073709551616 2 3 4 5 6 7 8 9 10 11\n");
  OpenedSource disk{open_disk, captured.tree()};
  const auto values = disk.read();
  EXPECT_EQ(values.at("node_disk_reads_completed_total{device=\"sda\"}"), "-1") << "two's complement, as Value says";
  EXPECT_FALSE(values.contains("node_disk_reads_completed_total{device=\"sdb\"}"));
}

TEST(DiskSource, FollowsDisksThatComeAndGo) {
  CapturedTree captured;
  const std::string sda = " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n";
  const std::string sdb = " 8 16 sdb 21 2 3 4 5 6 7 8 9 10 11\n";
  captured.file("/proc/diskstats", sda);
  OpenedSource disk{open_disk, captured.tree()};
  disk.read();
  captured.file("/proc/diskstats", sdb + sda);
  EXPECT_EQ(disk.read().at("node_disk_reads_completed_total{device=\"sdb\"}"), "21");
  captured.file("/proc/diskstats", sdb);
  EXPECT_FALSE(disk.read().contains("node_disk_reads_completed_total{device=\"sda\"}"));
  captured.file("/proc/diskstats", "");
  EXPECT_TRUE(disk.read().empty()) << "no disk is no error";
  EXPECT_FALSE(disk.error);
}

TEST(DiskSource, TakesLabelsFromUdev) {
  CapturedTree captured;
  captured.file("/proc/diskstats", " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n")
      .file("/run/udev/data/b8:0", "S:disk/x\nE:ID_MODEL=PSSD_T7\nE:ID_SERIAL=long\nE:ID_SERIAL_SHORT=S1\nE:ID_WWN=0x5\n");
  OpenedSource disk{open_disk, captured.tree()};
  EXPECT_TRUE(disk.read().contains("node_disk_info{device=\"sda\",major=\"8\",minor=\"0\",model=\"PSSD_T7\",path=\"\",revision=\"\",serial=\"S1\",wwn=\"0x5\"}"));
}

}  // namespace
}  // namespace fieldpost
