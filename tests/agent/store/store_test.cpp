// SPDX-License-Identifier: Apache-2.0
// The store's promises in fair weather, at its bounds and over restarts.
#include "agent/store/store.hpp"

#include <cmath>
#include <semaphore>

#include "agent/store/store_disk.hpp"
#include "tests/agent/store/store_fixture.hpp"

namespace fieldpost {
namespace {

TEST_F(StoreTest, MakesReadingsDurableAfterTheFlushIntervalAndTellsSo) {
  open();
  std::vector<Lane> told;
  store_->on_durable([&told](Lane lane) { told.push_back(lane); });
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().disk_ok; }));
  told.clear();
  add_samples();
  EXPECT_EQ(store_->status().durable_readings, 0U);
  loop_.advance(options_.flush_interval);
  ASSERT_TRUE(loop_.run_until([&told] { return !told.empty(); }));
  EXPECT_EQ(told, std::vector{Lane::live});
  EXPECT_EQ(store_->status().durable_readings, added_);
  EXPECT_EQ(store_->status().newest_seq, 1U);
  EXPECT_TRUE(log_.contains("segment durable lane=live epoch=" + to_text(store_->status().epoch) + " seq=1 readings=20"));
}

TEST_F(StoreTest, CommitsAnAlertAtOnceAndLeavesTheRestForLater) {
  open();
  ASSERT_TRUE(flush());
  add_samples(Lane::bulk);
  Event event;
  event.name = "cpu_hot";
  event.severity = Severity::critical;
  event.time = clock_.now();
  store_->add(event);
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().waiting_segments[0] == 1; }));
  EXPECT_EQ(store_->status().memory_readings, added_);
  event.severity = Severity::info;
  store_->add(event);
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().waiting_segments, (std::array<std::uint64_t, 4>{1, 1, 0, 1}));
}

TEST_F(StoreTest, GivesBackWhatItWasGiven) {
  open();
  add_samples();
  add_samples();
  Summary summary;
  summary.series = ids_[3];
  summary.start = clock_.now();
  summary.end = clock_.now() + seconds{10};
  summary.count = 10;
  summary.min = 1;
  summary.max = 2.5;
  summary.last = std::nan("");
  summary.quantiles = {{0.5, 2}};
  store_->add(Lane::live, summary);
  ASSERT_TRUE(flush());
  const auto segments = fetch(Lane::live);
  ASSERT_EQ(segments.size(), 1U);
  EXPECT_EQ(segments[0].header.boot, clock_.boot_id());
  const auto content = decode_segment_content(segments[0].bytes).value();
  EXPECT_EQ(content.samples.size(), 2U * kSeries);
  ASSERT_EQ(content.summaries.size(), 1U);
  EXPECT_EQ(content.series[index(content.summaries[0].series)].name, "node_thing_3_total");
  EXPECT_TRUE(std::isnan(content.summaries[0].last.real()));
}

TEST_F(StoreTest, HandsOutInOrderFromARowOnAndWithinBounds) {
  open();
  for (int i = 0; i < 5; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  const auto all = fetch(Lane::live);
  ASSERT_EQ(all.size(), 5U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].header.seq, i + 1);
  EXPECT_EQ(fetch(Lane::live, all[1].row).size(), 3U);
  EXPECT_EQ(fetch(Lane::live, 0, 2).size(), 2U);
  EXPECT_EQ(fetch(Lane::live, 0, 5, 1).size(), 1U);
  EXPECT_EQ(fetch(Lane::live, 0, 5, all[0].bytes.size() + all[1].bytes.size()).size(), 2U);
  EXPECT_TRUE(fetch(Lane::bulk).empty());
}

TEST_F(StoreTest, DeletesWhatIsAcknowledgedWithinASecondAndHandsItOutNoMore) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  add_samples();
  ASSERT_TRUE(flush());
  const auto segments = fetch(Lane::live);
  store_->acknowledge(segments[0]);
  store_->acknowledge(segments[0]);
  EXPECT_EQ(fetch(Lane::live).size(), 1U);
  EXPECT_EQ(store_->status().acknowledged_readings, 0U);
  const auto commits = store_->status().commits;
  loop_.advance(seconds{1});
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().acknowledged_readings == kSeries; }));
  EXPECT_EQ(store_->status().commits, commits + 1);
  EXPECT_EQ(store_->status().newest_acknowledged_seq, 1U);
  EXPECT_EQ(store_->status().waiting_segments[2], 1U);
  EXPECT_EQ(fetch(Lane::live).size(), 1U);
  EXPECT_TRUE(log_.contains("segments acknowledged segments=1"));
}

TEST_F(StoreTest, GoesOnCountingAfterARestart) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const Epoch epoch = store_->status().epoch;
  add_samples();
  reopen();  // close() flushes
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().epoch, epoch);
  EXPECT_EQ(store_->status().newest_seq, 2U);
  add_samples();
  ASSERT_TRUE(flush());
  const auto segments = fetch(Lane::live);
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_EQ(segments[2].header.seq, 3U);
  EXPECT_FALSE(log_.contains("new epoch"));
}

TEST_F(StoreTest, GoesOnCountingAfterARestartWithNothingWaiting) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  store_->acknowledge(fetch(Lane::live)[0]);
  reopen();
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_EQ(fetch(Lane::live).at(0).header.seq, 2U);
  EXPECT_EQ(store_->status().newest_acknowledged_seq, 1U);
}

TEST_F(StoreTest, BeginsANewEpochWhenAnOlderCopyIsPutBack) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const Epoch epoch = store_->status().epoch;
  store_->close();
  const std::string older = directory_.read("state/outbox.db");
  open();
  add_samples();
  add_samples();
  ASSERT_TRUE(flush());
  store_->close();
  directory_.write("state/outbox.db", older);
  directory_.write("state/outbox.db-wal", "");

  open();
  ASSERT_TRUE(flush());
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_NE(store_->status().epoch, epoch);
  const auto segments = fetch(Lane::live);
  ASSERT_EQ(segments.size(), 2U);  // what the copy held is sent under its own name
  EXPECT_EQ(segments[0].header.epoch, epoch);
  EXPECT_EQ(segments[0].header.seq, 1U);
  EXPECT_EQ(segments[1].header.epoch, store_->status().epoch);
  const auto gaps = gaps_of(fetch(Lane::event));
  ASSERT_EQ(gaps.size(), kLanes.size());
  EXPECT_EQ(gaps[0].cause, Gap::Cause::damage);
  EXPECT_EQ(gaps[0].epoch, epoch);
  EXPECT_EQ(gaps[0].first_seq, 2U);
  EXPECT_EQ(gaps[0].last_seq, 2U);
  EXPECT_EQ(fetch(Lane::alert).size(), 1U);
}

TEST_F(StoreTest, BeginsANewEpochWhenItsMarksOrItsStateAreLost) {
  for (const char* lost : {"state/outbox.marks", "state/state.db", "state/outbox.db"}) {
    SCOPED_TRACE(lost);
    open();
    add_samples();
    ASSERT_TRUE(flush());
    const Epoch epoch = store_->status().epoch;
    store_->close();
    directory_.write(lost, "");
    if (std::string_view{lost} == "state/state.db") directory_.write("state/state.mirror", "");
    open();
    ASSERT_TRUE(flush());
    EXPECT_NE(store_->status().epoch, epoch);
    store_->close();
  }
}

TEST_F(StoreTest, ReportsWhatALostOutboxHeld) {
  open();
  for (int i = 0; i < 3; ++i) {
    add_samples();
    ASSERT_TRUE(flush());
  }
  store_->acknowledge(fetch(Lane::live)[0]);
  const Epoch epoch = store_->status().epoch;
  store_->close();
  directory_.write("state/outbox.db", "");
  directory_.write("state/outbox.db-wal", "");
  open();
  ASSERT_TRUE(flush());
  const auto gaps = gaps_of(fetch(Lane::event));
  ASSERT_FALSE(gaps.empty());
  EXPECT_EQ(gaps[0].epoch, epoch);
  EXPECT_EQ(gaps[0].first_seq, 2U);
  EXPECT_EQ(gaps[0].last_seq, 3U);
}

TEST_F(StoreTest, GivesRowsOfADamagedOutboxToNoSegmentOfTheNextOne) {
  StoreDisk disk{options_, {}, log_.log(), table_};
  std::array<std::uint64_t, kLanes.size()> dropped{};
  const auto commit_some = [this, &disk](OutboxChange change = {}) {
    DiskWork work;
    work.change = std::move(change);
    work.moment = {clock_.boot_id(), clock_.now()};
    work.batches[index(Lane::live)].add(Sample{ids_[0], ++value_, clock_.now(), Quality::good});
    disk.commit(work);
    EXPECT_TRUE(work.result);
  };
  commit_some();
  commit_some();
  const auto before = disk.fetch(Lane::live, 0, 10, 1U << 20U, dropped);
  ASSERT_EQ(before.size(), 2U);
  disk.close();
  directory_.write("state/outbox.db", std::string(5'000, 'x'));
  commit_some();
  const auto after = disk.fetch(Lane::live, 0, 10, 1U << 20U, dropped);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_GT(after[0].row, before[1].row);  // who asks for what lies beyond the last row it knows gets it
  // The acknowledgement of a message that was on its way meanwhile must not hit it.
  commit_some({.acknowledged = {{Lane::live, before[0].row}, {Lane::live, before[1].row}}, .given_up = {}, .gaps = {}, .segments = {}});
  EXPECT_EQ(disk.fetch(Lane::live, 0, 10, 1U << 20U, dropped).size(), 2U);
}

TEST_F(StoreTest, TellsOfALostOutboxThoughTheNextOneProvesDamagedBeforeItsFirstCommit) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const Epoch epoch = store_->status().epoch;
  store_->close();
  for (int lost = 0; lost < 3; ++lost) {
    directory_.write("state/outbox.db", "");
    StoreDisk disk{options_, {}, log_.log(), table_};
    DiskWork work;
    work.moment = {clock_.boot_id(), clock_.now()};
    disk.commit(work);
    ASSERT_TRUE(work.result);
    EXPECT_NE(disk.figures().epoch, epoch);
  }
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const auto gaps = gaps_of(fetch(Lane::event));
  ASSERT_EQ(gaps.size(), kLanes.size());
  EXPECT_EQ(gaps[0].epoch, epoch);
  EXPECT_EQ(gaps[0].first_seq, 1U);
  EXPECT_EQ(gaps[0].last_seq, 1U);
}

TEST_F(StoreTest, TellsOfWhatWaitedWhenACopyFromAnEarlierEpochIsPutBack) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  store_->close();
  const std::string older = directory_.read("state/outbox.db");
  directory_.write("state/outbox.db", "");
  open();
  add_samples();
  ASSERT_TRUE(flush());
  const Epoch second = store_->status().epoch;
  const std::uint64_t newest = store_->status().newest_seq;
  store_->close();
  directory_.write("state/outbox.db", older);
  open();
  ASSERT_TRUE(flush());
  bool told = false;
  for (const Gap& gap : gaps_of(fetch(Lane::event))) {
    told = told || (gap.epoch == second && gap.first_seq == 1U && gap.last_seq == newest);
  }
  EXPECT_TRUE(told);
}

TEST_F(StoreTest, SaysNothingOfLossWhenNothingWaitedInALostOutbox) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  store_->acknowledge(fetch(Lane::live)[0]);
  store_->close();
  directory_.write("state/outbox.db", "");
  open();
  ASSERT_TRUE(flush());
  EXPECT_TRUE(fetch(Lane::event).empty());
}

TEST_F(StoreTest, DropsTheOldestOfBulkFirstAndAlertsLastWhenTheQuotaIsReached) {
  options_.quota_bytes = 1 << 20;
  options_.thin_window = milliseconds{0};
  open();
  Event event;
  event.name = "keep_me";
  event.severity = Severity::critical;
  store_->add(event);
  ++added_;
  ASSERT_TRUE(flush());
  for (int i = 0; i < 150; ++i) {
    for (int tick = 0; tick < 40; ++tick) {
      add_noise(Lane::bulk);
      if (tick % 4 == 0) add_noise(Lane::live);
    }
    ASSERT_TRUE(flush());
    ASSERT_EQ(accounted_for(), added_);
  }
  const StoreStatus status = store_->status();
  EXPECT_TRUE(status.disk_ok) << status.disk_error;
  EXPECT_GT(status.dropped_readings[3], 0U);
  EXPECT_EQ(status.dropped_readings[0], 0U);
  EXPECT_EQ(status.waiting_segments[0], 1U);
  EXPECT_LE(status.file_bytes, options_.quota_bytes);
  EXPECT_LE(file_bytes("state/outbox.db") + file_bytes("state/outbox.db-wal"), options_.quota_bytes + (64 << 10));

  // All that was dropped is told: by the report that waits, and after it by a second one.
  auto reports = fetch(Lane::event);
  ASSERT_EQ(reports.size(), 1U);
  std::uint64_t told = readings_of(gaps_of(reports));
  store_->acknowledge(reports[0]);
  ASSERT_TRUE(flush());
  told += readings_of(gaps_of(fetch(Lane::event)));
  EXPECT_EQ(told, sum(store_->status().dropped_readings));
}

TEST_F(StoreTest, DropsWhatIsTooOldAndReportsIt) {
  options_.age_max = std::chrono::hours{1};
  open();
  add_samples();
  ASSERT_TRUE(flush());
  clock_.advance(std::chrono::minutes{50});
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_EQ(sum(store_->status().dropped_readings), 0U);
  clock_.advance(std::chrono::minutes{20});
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().dropped_readings[2], kSeries);
  const auto gaps = gaps_of(fetch(Lane::event));
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].cause, Gap::Cause::age);
  EXPECT_EQ(gaps[0].readings, kSeries);
  EXPECT_EQ(gaps[0].first_seq, 1U);
  EXPECT_EQ(gaps[0].last_seq, 1U);
  EXPECT_EQ(gaps[0].boot, clock_.boot_id());
  EXPECT_EQ(fetch(Lane::live).size(), 2U);
}

TEST_F(StoreTest, GivesUpASegmentAsAGap) {
  open();
  add_samples();
  ASSERT_TRUE(flush());
  store_->give_up(fetch(Lane::live)[0], Gap::Cause::oversize);
  ASSERT_TRUE(flush());
  EXPECT_TRUE(fetch(Lane::live).empty());
  const auto gaps = gaps_of(fetch(Lane::event));
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].cause, Gap::Cause::oversize);
  EXPECT_EQ(gaps[0].readings, kSeries);
  EXPECT_EQ(accounted_for(), added_);
}

TEST_F(StoreTest, KnowsTheUtcOfThisBootAndOfEarlierOnesAfterARestart) {
  open();
  const BootId first = clock_.boot_id();
  const BootTime then = clock_.now();
  const UtcTime utc = clock_.utc().time;
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->utc_of(first, then)->time, utc);
  store_->close();
  clock_.set_boot_id("00000000-0000-4000-8000-000000000002");
  clock_.set_utc({utc + std::chrono::hours{5}, true, milliseconds{1}});
  open();
  ASSERT_TRUE(flush());
  const auto stamp = store_->utc_of(first, then);
  ASSERT_TRUE(stamp);
  EXPECT_EQ(stamp->time, utc);
  EXPECT_TRUE(stamp->trusted);
  EXPECT_FALSE(store_->utc_of("00000000-0000-4000-8000-000000000009", then));
}

TEST_F(StoreTest, FlushesEarlyWhenABurstFillsItsMemory) {
  options_.memory_bytes_max = 200'000;
  open();
  ASSERT_TRUE(flush());
  for (int i = 0; i < 100; ++i) add_samples();
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().durable_readings > 0; }));
  ASSERT_TRUE(flush());
  EXPECT_EQ(accounted_for(), added_);
  EXPECT_EQ(sum(store_->status().dropped_readings), 0U);
}

TEST_F(StoreTest, CutsMessagesThatWouldBeTooLong) {
  options_.message_bytes_max = 10'000;
  open();
  for (int i = 0; i < 300; ++i) add_samples();
  ASSERT_TRUE(flush());
  EXPECT_GT(store_->status().waiting_segments[2], 3U);
  EXPECT_EQ(store_->status().waiting_readings[2], added_);
}

TEST_F(StoreTest, ShortensTheMessageOfAnEvent) {
  open();
  Event event;
  event.name = "long";
  event.message.assign(10'000, 'm');
  store_->add(event);
  ASSERT_TRUE(flush());
  EXPECT_EQ(decode_segment_content(fetch(Lane::event).at(0).bytes)->events.at(0).message.size(), Event::kMessageBytesMax);
}

/// Marks on a disk that does not come back from a write until it is let go.
class HeldMarks final : public MarkStorage {
 public:
  HeldMarks(const std::string& path, std::counting_semaphore<>& may_write) : file_{make_mark_file(path)}, may_write_{may_write} {}
  Result<std::optional<Marks>> read() override { return file_->read(); }
  Result<void> write(const Marks& marks) override {
    may_write_.acquire();
    return file_->write(marks);
  }

 private:
  std::unique_ptr<MarkStorage> file_;
  std::counting_semaphore<>& may_write_;
};

TEST_F(StoreTest, SaysHowLateReadingsAreWhileTheDiskHoldsThemUpAndWhenThatIsOver) {
  constexpr std::ptrdiff_t kPlenty = 1'000;
  std::counting_semaphore<> may_write{1};  // for the new epoch
  open({.vfs = {}, .marks = [&may_write](const std::string& path) { return std::make_unique<HeldMarks>(path, may_write); }});
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().disk_ok; }));
  add_samples();
  loop_.advance(options_.flush_interval - seconds{1});  // one second passed while they were added
  EXPECT_EQ(store_->status().durable_delay, options_.flush_interval);
  EXPECT_FALSE(log_.contains("readings late on the disk"));
  loop_.advance(options_.flush_interval);
  EXPECT_EQ(log_.count("readings late on the disk age_ms=20000 promised_ms=10000 waits_for=\"the disk\""), 1U);
  loop_.advance(options_.flush_interval);
  EXPECT_EQ(log_.count("readings late on the disk"), 1U);  // not yet twice as late
  loop_.advance(options_.flush_interval);
  EXPECT_EQ(log_.count("readings late on the disk"), 2U);
  EXPECT_EQ(store_->status().durable_delay, seconds{40});
  may_write.release(kPlenty);
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().durable_readings == added_; }));
  ASSERT_TRUE(flush());
  EXPECT_EQ(log_.count("readings in time on the disk again delay_ms=40000"), 1U);
  add_samples();
  ASSERT_TRUE(flush());
  EXPECT_EQ(store_->status().durable_delay, seconds{1});
}

TEST_F(StoreTest, TakesNothingMoreOnceItIsClosed) {
  open();
  add_samples();
  store_->close();
  store_->close();
  add_samples();
  bool failed = false;
  store_->flush([&failed](const Result<void>& result) { failed = !result; });
  EXPECT_TRUE(failed);
  EXPECT_TRUE(fetch(Lane::live).empty());
  EXPECT_EQ(loop_.timers(), 0U);
}

TEST_F(StoreTest, MayBeDestroyedWithWorkUnderWay) {
  open();
  add_samples();
  store_->flush([](const Result<void>&) { ADD_FAILURE() << "called after the store has gone"; });
  store_->fetch(Lane::live, 0, 1, 1, [](const auto&) { ADD_FAILURE() << "called after the store has gone"; });
  store_.reset();
  loop_.run_ready();
}

}  // namespace
}  // namespace fieldpost
