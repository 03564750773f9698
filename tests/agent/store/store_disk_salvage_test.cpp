// SPDX-License-Identifier: Apache-2.0
// What comes back out of an outbox that was set aside, where commits, opening files or the outbox after it fail as well.
#include <cerrno>

#include "tests/agent/store/store_disk_faults_fixture.hpp"

namespace fieldpost {
namespace {

class StoreDiskSalvageTest : public StoreDiskFaultsTest {};

/// Whether it happened nobody knows, so the batch goes back to memory, and what stands in the log is not brought back as well.
TEST_F(StoreDiskSalvageTest, DoublesNoBatchWhoseCommitWasInDoubtWhenTheOutboxWasSetAside) {
  int in_doubt = 0;
  for (unsigned many = 1; many <= 6; ++many) {
    CrashDisk disk = disk_;
    CrashFileLayer::mount(&disk, 1);
    start();
    ASSERT_TRUE(commit(with_samples(Lane::event)).result);
    disk.fail_sync_after(0, many);  // those behind the first when the database is closed
    disk.fail_reads(disk.find("outbox.db"), 0, 100);  // what is open reads it no more
    DiskWork work = commit(with_samples(Lane::live));
    if (store_->figures().doubtful_readings > 0) ++in_doubt;
    for (int i = 1; i < StoreDisk::kIoFailuresMax; ++i) work = commit(std::move(work));
    disk.fail_sync_after(0, 0);
    if (!work.result) {
      EXPECT_LE(commits_until_done(std::move(work)), StoreDisk::kIoFailuresMax);
    }
    disk.heal_reads();
    salvage();
    EXPECT_EQ(readings(Lane::live), kSamples) << many;
    EXPECT_EQ(readings(Lane::bulk), 5 * kSamples) << many;
    store_.reset();
    CrashFileLayer::mount(nullptr, 0);
  }
  EXPECT_GT(in_doubt, 0);
}

/// The new outbox is set aside before anything was committed to it, and the one that took its place, too.
TEST_F(StoreDiskSalvageTest, SalvagesTheOutboxThatHasSomethingHoweverManyFailAfterIt) {
  int failed = 0;
  for (unsigned syncs = 0; syncs < 16; ++syncs) {
    CrashDisk disk = disk_;
    CrashFileLayer::mount(&disk, 1);
    disk.fail_reads(disk.find("outbox.db"), 0, 1 << 20);
    start();
    DiskWork work = with_samples(Lane::live);
    for (int i = 1; i < StoreDisk::kIoFailuresMax; ++i) work = commit(std::move(work));
    for (int round = 0; round < 3; ++round) {
      disk.fail_sync_after(syncs, 3);
      work = commit(std::move(work));
      disk.fail_sync_after(0, 0);
      if (work.result) break;
      ++failed;
      const auto file = disk.find("outbox.db");
      if (file == CrashDisk::kNone) continue;
      disk.fail_reads(file, 0, 1 << 20);
      for (int i = 1; i < StoreDisk::kIoFailuresMax; ++i) work = commit(std::move(work));
    }
    disk.heal_reads();
    if (!work.result) {
      EXPECT_LE(commits_until_done(std::move(work)), 2);
    }
    salvage();
    EXPECT_EQ(readings(Lane::live), kSamples) << syncs;
    EXPECT_EQ(readings(Lane::bulk), 5 * kSamples) << syncs;
    store_.reset();
    CrashFileLayer::mount(nullptr, 0);
  }
  EXPECT_GT(failed, 10);
}

TEST_F(StoreDiskSalvageTest, TriesAFailedStepOfSalvageAgainAfterTheNextCommit) {
  for (const int error : {EMFILE, ENOSPC, EACCES, EIO}) {
    SCOPED_TRACE(error);
    CrashDisk disk = disk_;
    CrashFileLayer::mount(&disk, 1);
    spoil(disk);
    start();
    ASSERT_TRUE(commit(with_samples(Lane::live)).result);
    ASSERT_TRUE(store_->figures().is_salvaging);
    CrashFileLayer::fail({.after = 0, .error = error, .extent = CrashFileLayer::Fault::Extent::for_ever});
    int steps = 0;
    while (!store_->figures().salvage_rests && ++steps < 100) store_->tidy();
    EXPECT_LT(steps, 100);
    CrashFileLayer::heal();
    salvage();
    EXPECT_EQ(readings(Lane::bulk), 5 * kSamples);
    store_.reset();
    CrashFileLayer::mount(nullptr, 0);
  }
}

TEST_F(StoreDiskSalvageTest, EndsASalvageWhoseCommitsFailAgainAndAgainAndTellsWhatDidNotComeBack) {
  spoil(disk_);
  start();
  ASSERT_TRUE(commit(with_samples(Lane::live)).result);
  int failures = 0;
  for (; store_->figures().is_salvaging && failures < 2 * Salvage::kFailuresMax; ++failures) {
    // The survey commits nothing; the end, which only tells, succeeds at last.
    for (int steps = 0; store_->figures().is_salvaging && !store_->figures().salvage_rests && steps < 100; ++steps) {
      disk_.fail_sync_after(0, failures <= Salvage::kFailuresMax ? 1 : 0);
      store_->tidy();
    }
    disk_.fail_sync_after(0, 0);
    ASSERT_TRUE(commit().result);
  }
  EXPECT_FALSE(store_->figures().is_salvaging);
  EXPECT_GT(failures, Salvage::kFailuresMax);
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(readings_told(), 5 * kSamples);
}

}  // namespace
}  // namespace fieldpost
