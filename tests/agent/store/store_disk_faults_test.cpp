// SPDX-License-Identifier: Apache-2.0
// The store on a disk with bad blocks, with a sync that fails, and on one whose files are of another time.
#include <cerrno>

#include "tests/agent/store/store_disk_faults_fixture.hpp"

namespace fieldpost {
namespace {

constexpr const char* kOtherBoot = "00000000-0000-4000-8000-000000000002";

/// Marks that nobody may touch.
class DeniedMarks final : public MarkStorage {
 public:
  Result<std::optional<Marks>> read() override { return Error{ErrorKind::Denied, "open outbox.marks"}; }
  Result<void> write(const Marks&) override { return Error{ErrorKind::Denied, "open outbox.marks"}; }
};

/// Marks that cannot be written for a time.
class MarksThatMayBeDenied final : public MarkStorage {
 public:
  MarksThatMayBeDenied(const std::string& path, const bool& is_denied) : file_{make_mark_file(path)}, is_denied_{is_denied} {}
  Result<std::optional<Marks>> read() override { return file_->read(); }
  Result<void> write(const Marks& marks) override {
    if (is_denied_) return Error{ErrorKind::Denied, "open outbox.marks"};
    return file_->write(marks);
  }

 private:
  std::unique_ptr<MarkStorage> file_;
  const bool& is_denied_;
};

TEST_F(StoreDiskFaultsTest, GivesRowsAboveThoseFetchedFromADatabaseThatProvedDamagedBeforeTheFirstCommit) {
  start();
  ASSERT_TRUE(commit().result);
  const std::int64_t newest = fetch(Lane::bulk).back().row;
  const std::size_t size = disk_.content(disk_.find("outbox.db")).size();
  for (std::size_t page = 1; page < size / OutboxDatabase::kPageBytes; ++page) disk_.damage("outbox.db", page * OutboxDatabase::kPageBytes, std::byte{0x55});
  store_->close();
  ASSERT_TRUE(commit(with_samples()).result);
  ASSERT_TRUE(events_.contains("outbox_set_aside"));
  const auto found = fetch(Lane::bulk, newest);
  ASSERT_EQ(found.size(), 1U);
  // A late acknowledgement of what the lost database held takes nothing of the new one.
  DiskWork late;
  for (const OutboxRow& row : all_) late.change.acknowledged.push_back({Lane::bulk, row.row});
  ASSERT_TRUE(commit(std::move(late)).result);
  EXPECT_EQ(fetch(Lane::bulk, newest).size(), 1U);
}

TEST_F(StoreDiskFaultsTest, PassesABodyThatCannotBeReadAndReportsIt) {
  make_unreadable(all_[2]);
  start();
  ASSERT_TRUE(commit().result);
  EXPECT_EQ(fetch(Lane::bulk).size(), 2U);
  std::vector<OutboxRow> found;
  for (int attempt = 0; attempt < ReadFailures::kAttempts; ++attempt) {
    found = fetch(Lane::bulk, all_[1].row);
    ASSERT_TRUE(commit().result) << "the next commit opens anew";
  }
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].row, all_[3].row);
  EXPECT_EQ(dropped_[index(Lane::bulk)], kSamples);
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(readings_told(), kSamples);
  EXPECT_TRUE(events_.empty());
}

TEST_F(StoreDiskFaultsTest, GivesABodyBackThatCouldNotBeReadOnce) {
  make_unreadable(all_[0]);
  start();
  ASSERT_TRUE(commit().result);
  EXPECT_TRUE(fetch(Lane::bulk).empty());
  disk_.heal_reads();
  ASSERT_TRUE(commit().result);
  EXPECT_EQ(fetch(Lane::bulk).size(), 5U);
}

TEST_F(StoreDiskFaultsTest, ReadsNoBodyToCommitAndDropsOnesThatCannotBeRead) {
  for (const OutboxRow& row : all_) make_unreadable(row);
  options_.age_max = std::chrono::hours{1};
  start();
  ASSERT_TRUE(commit(with_samples()).result);
  // Acknowledged and given up: deleting reads them, and does without after some attempts.
  DiskWork work = with_samples();
  work.change.acknowledged = {{Lane::bulk, all_[0].row}};
  work.change.given_up = {{Lane::bulk, all_[1].row, Gap::Cause::damage}};
  EXPECT_LE(commits_until_done(std::move(work)), 3);
  EXPECT_EQ(readings_told(), kSamples);
  stop();
  options_.age_max = seconds{1};
  start();
  EXPECT_LE(commits_until_done({}), 3);
  EXPECT_TRUE(fetch(Lane::bulk).empty());
  EXPECT_TRUE(events_.empty());
}

TEST_F(StoreDiskFaultsTest, BeginsAnEpochWithNewMarksWhereTheyCannotBeRead) {
  disk_.fail_reads(disk_.find("outbox.marks"), 0, 8'192);
  start();
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_NE(store_->figures().epoch, all_[0].header.epoch);
  EXPECT_EQ(fetch(Lane::bulk).size(), 6U);
  const auto marks = make_mark_file(options_.directory + "/outbox.marks")->read();
  ASSERT_TRUE(marks && *marks);
  EXPECT_EQ((*marks)->newest_seq, 1U);
  EXPECT_FALSE(events_.contains("outbox_set_aside"));
}

TEST_F(StoreDiskFaultsTest, BlamesNoDatabaseForMarksThatMayNotBeTouched) {
  start({.vfs = {}, .marks = [](const std::string&) { return std::make_unique<DeniedMarks>(); }});
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(fetch(Lane::bulk).size(), 6U);
  EXPECT_FALSE(events_.contains("outbox_set_aside"));
}

TEST_F(StoreDiskFaultsTest, TakesTheMirrorForAStateThatCannotBeRead) {
  const Epoch epoch = all_[0].header.epoch;
  disk_.fail_reads(disk_.find("state.db"), 0, 1 << 20);
  start();
  EXPECT_EQ(commits_until_done(with_samples()), StoreDisk::kIoFailuresMax);
  EXPECT_EQ(events_.count("state_set_aside"), 1U);
  EXPECT_EQ(store_->figures().epoch, epoch);
  EXPECT_EQ(fetch(Lane::bulk).size(), 6U);
}

TEST_F(StoreDiskFaultsTest, SetsAnOutboxAsideThatCannotBeReadAgainAndAgainAndTellsWhatWaitedInIt) {
  disk_.fail_reads(disk_.find("outbox.db"), 0, 1 << 20);
  start();
  EXPECT_EQ(commits_until_done(with_samples()), StoreDisk::kIoFailuresMax);
  EXPECT_EQ(events_.count("outbox_set_aside"), 1U);
  EXPECT_EQ(events_.count("outbox_new_epoch"), 1U);
  EXPECT_EQ(fetch(Lane::bulk).size(), 1U);
  EXPECT_EQ(readings_told(), 0U) << "not before it is known what can be salvaged: nothing here";
  for (int steps = 0; store_->figures().is_salvaging; ++steps) {
    ASSERT_LT(steps, 1'000);
    store_->tidy();
  }
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(store_->figures().salvaged_segments, 0U);
  EXPECT_EQ(readings_told(), 5 * kSamples);
  EXPECT_EQ(events_.count("outbox_salvaged"), 1U);
}

TEST_F(StoreDiskFaultsTest, KeepsWhatItCannotReadWhileTheDiskTakesNothingElse) {
  disk_.fail_reads(disk_.find("outbox.db"), 0, 1 << 20);
  start();
  disk_.cut_power();
  EXPECT_EQ(commits_until_done(with_samples()), 21);
  EXPECT_TRUE(events_.empty());
}

TEST_F(StoreDiskFaultsTest, BelievesACommitWhoseSyncFailedOnlyOnceItIsOnTheMedium) {
  for (unsigned syncs = 0; syncs < 6; ++syncs) {
    CrashDisk disk = disk_;
    CrashFileLayer::mount(&disk, 1);
    start();
    ASSERT_TRUE(commit().result);
    disk.fail_sync_after(syncs, 2);  // the second when the database is closed
    DiskWork work = commit(with_samples(Lane::live));
    while (!work.result) work = commit(std::move(work));
    EXPECT_EQ(fetch(Lane::live).size(), 1U);
    disk.cut_power();
    store_.reset();
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      CrashDisk left = disk.after_power_cut(seed);
      CrashFileLayer::mount(&left, 1);
      start();
      ASSERT_TRUE(commit().result);
      EXPECT_EQ(fetch(Lane::live).size(), 1U) << syncs << " syncs, seed " << seed;
      stop();
      CrashFileLayer::mount(nullptr, 0);
    }
  }
}

/// What was committed behind it in the log would go with it.
TEST_F(StoreDiskFaultsTest, KeepsWhatIsCommittedAfterAnAcknowledgementWhoseSyncFailed) {
  for (unsigned failures = 1; failures <= 4; ++failures) {
    for (unsigned syncs = 0; syncs < 8; ++syncs) {
      CrashDisk disk = disk_;
      CrashFileLayer::mount(&disk, 1);
      start();
      ASSERT_TRUE(commit(with_samples(Lane::event)).result);
      ASSERT_TRUE(commit(with_samples(Lane::live)).result);
      const auto rows = fetch(Lane::event);
      ASSERT_EQ(rows.size(), 1U);
      disk.fail_sync_after(syncs, failures);
      DiskWork work;
      work.change.acknowledged = {{Lane::event, rows[0].row}};
      while (!(work = commit(std::move(work))).result) {
      }
      disk.fail_sync_after(0, 0);
      ASSERT_TRUE(commit(with_samples(Lane::alert)).result);
      disk.cut_power();
      store_.reset();
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        CrashDisk left = disk.after_power_cut(seed);
        CrashFileLayer::mount(&left, 1);
        start();
        ASSERT_TRUE(commit().result);
        EXPECT_EQ(fetch(Lane::alert).size(), 1U) << failures << " failures after " << syncs << " syncs, seed " << seed;
        EXPECT_EQ(fetch(Lane::live).size(), 1U) << failures << " failures after " << syncs << " syncs, seed " << seed;
        stop();
        CrashFileLayer::mount(nullptr, 0);
      }
    }
  }
}

TEST_F(StoreDiskFaultsTest, BeginsAnEpochInEachBootAndTellsNobodyOfIt) {
  start();
  ASSERT_TRUE(commit().result);
  EXPECT_EQ(store_->figures().epoch, all_[0].header.epoch);
  stop();
  boot_ = kOtherBoot;
  start();
  ASSERT_TRUE(commit().result);
  const Epoch second = store_->figures().epoch;
  EXPECT_NE(second, all_[0].header.epoch);
  stop();
  start();
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(store_->figures().epoch, second);
  EXPECT_TRUE(events_.empty());
  EXPECT_EQ(fetch(Lane::bulk).size(), 6U);
  EXPECT_TRUE(fetch(Lane::event).empty());
}

TEST_F(StoreDiskFaultsTest, TellsOfReadingsOfEarlierEpochsThatWereLostWithTheOutbox) {
  boot_ = kOtherBoot;
  start();
  ASSERT_TRUE(commit(with_samples(Lane::live)).result);
  stop();
  disk_.remove("outbox.db");
  start();
  ASSERT_TRUE(commit(with_samples()).result);
  EXPECT_EQ(readings_told(), 6 * kSamples);
}

/// An image of the whole disk may have been put back, and what it knows of handing out is of then.
TEST_F(StoreDiskFaultsTest, MergesNothingOfAnEarlierBoot) {
  options_.merge_segments_min = 1;
  start();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(commit(with_samples(Lane::live)).result);
  const auto before = store_->peek(Lane::live, 0, 100, 64U << 20U, dropped_);
  stop();
  boot_ = kOtherBoot;
  start();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(commit(with_samples(Lane::live)).result);
  std::uint64_t merged = 0;
  while (const auto step = store_->tidy()) merged += step->merged_segments;
  EXPECT_GT(merged, 10U);
  const auto after = store_->peek(Lane::live, 0, 100, 64U << 20U, dropped_);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after.at(i).bytes, before[i].bytes) << i;
}

TEST_F(StoreDiskFaultsTest, KnowsWhatWasHandedOutOnlyFromAProcessThatEndedInOrder) {
  options_.merge_segments_min = 1;
  for (const bool in_order : {true, false}) {
    start();
    ASSERT_TRUE(commit().result);
    std::uint64_t waits = store_->figures().waiting[index(Lane::live)].segments;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(commit(with_samples(Lane::live)).result);
    const auto sent = fetch(Lane::live, 0, waits + 3);
    if (in_order) store_->end();
    stop();
    start();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(commit(with_samples(Lane::live)).result);
    while (store_->tidy()) waits = store_->figures().waiting[index(Lane::live)].segments;
    const auto after = store_->peek(Lane::live, 0, 1'000, 64U << 20U, dropped_);
    for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(after.at(i).bytes, sent[i].bytes) << i;
    EXPECT_EQ(after.at(sent.size()).header.first_seq != after[sent.size()].header.seq, in_order);
    for (const OutboxRow& row : fetch(Lane::live, 0, 1'000)) ASSERT_GT(row.row, 0);
    stop();
  }
}

/// Else a death before the first marks would leave those of an earlier process, which know nothing of what this one hands out.
TEST_F(StoreDiskFaultsTest, HandsNothingOutBeforeTheMarksSayThatItMay) {
  start();
  ASSERT_TRUE(commit().result);
  store_->end();
  stop();
  bool is_denied = true;
  StoreGround ground;
  ground.marks = [&is_denied](const std::string& path) { return std::make_unique<MarksThatMayBeDenied>(path, is_denied); };
  start(std::move(ground));
  ASSERT_TRUE(commit().result);
  EXPECT_TRUE(fetch(Lane::bulk).empty());
  is_denied = false;
  EXPECT_EQ(fetch(Lane::bulk).size(), 5U);
  is_denied = true;  // from then on what is handed out need not be noted
  EXPECT_EQ(fetch(Lane::bulk).size(), 5U);
  stop();
  const auto marks = make_mark_file(options_.directory + "/outbox.marks")->read();
  ASSERT_TRUE(marks && *marks);
  EXPECT_FALSE((*marks)->handed_out);
}

TEST_F(StoreDiskFaultsTest, TellsOnceOfAnOutboxThatWasLostHoweverOftenTheCommitAfterItFails) {
  disk_.remove("outbox.db");
  disk_.fail_reads(disk_.find("state.db"), 0, 1 << 20);  // the first attempts fail before or behind the new epoch
  start();
  DiskWork work = with_samples();
  for (unsigned i = 0; i < 4; ++i) {
    disk_.fail_sync_after(3 + i);
    work = commit(std::move(work));
    if (i == 1) disk_.heal_reads();
  }
  while (!work.result) work = commit(std::move(work));
  ASSERT_TRUE(commit().result);
  EXPECT_EQ(events_.count("outbox_new_epoch"), 1U);
  EXPECT_EQ(fetch(Lane::bulk).size(), 1U);
  EXPECT_EQ(readings_told(), 5 * kSamples);
}

TEST_F(StoreDiskFaultsTest, SetsNothingAsideBecauseOneCallFailed) {
  for (const int error : {EMFILE, ENOSPC, EROFS, EACCES}) {
    for (std::uint64_t after = 0; after < 50; after += 2) {
      CrashDisk disk = disk_;
      CrashFileLayer::mount(&disk, 1);
      CrashFileLayer::fail({.after = after, .error = error, .extent = CrashFileLayer::Fault::Extent::once});
      start();
      EXPECT_LE(commits_until_done(with_samples()), 3);
      CrashFileLayer::heal();
      EXPECT_EQ(fetch(Lane::bulk).size(), 6U) << "error " << error << " after " << after << " calls";
      stop();
    }
  }
  EXPECT_FALSE(events_.contains("outbox_set_aside"));
  EXPECT_FALSE(events_.contains("state_set_aside"));
}

}  // namespace
}  // namespace fieldpost
