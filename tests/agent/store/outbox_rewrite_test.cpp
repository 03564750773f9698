// SPDX-License-Identifier: Apache-2.0
// Nothing is lost, doubled or renumbered that somebody may have; and what is thinned is told.
#include "agent/store/outbox_rewrite.hpp"

#include "tests/agent/store/outbox_fixture.hpp"

namespace fieldpost {
namespace {

class OutboxRewriteTest : public OutboxTest {
 protected:
  void SetUp() override {
    OutboxTest::SetUp();
    series_of_run_ = {series_};
    options_.message_bytes_max = 20'000;
    options_.merge_segments_min = 1;
    open();
  }

  /// Segments of samples a second apart, some of them in each commit.
  void insert_small(Lane lane, int segments, int samples = 10, std::int64_t (*value_of)(std::int64_t) = [](std::int64_t i) { return i; }) {
    OutboxChange change;
    SegmentBuilder::Identity identity{.epoch = outbox_->epoch(), .seq = outbox_->newest_seq(), .boot = moment_.boot};
    for (int i = 0; i < segments; ++i) {
      Batch batch;
      for (int j = 0; j < samples; ++j, ++time_) batch.add(Sample{series_of_run_[static_cast<std::size_t>(time_) % series_of_run_.size()], value_of(time_), BootTime{seconds{time_}}, Quality::good});
      Gap none;
      for (auto& segment : builder_.build(lane, batch, identity, none)) change.segments.push_back(std::move(segment));
      if (change.segments.size() < 20 && i + 1 < segments) continue;
      ASSERT_TRUE(apply(std::exchange(change, {})));
      identity.seq = outbox_->newest_seq();  // a report of gaps may have taken one
    }
  }

  std::uint64_t merge_all() {
    std::uint64_t merged = 0;
    while (true) {
      bool in_doubt = false;
      const auto step = outbox_->merge(in_doubt);
      EXPECT_TRUE(step) << step.error().sentence();
      if (!step || !*step) return merged;
      merged += (*step)->merged_segments;
    }
  }

  /// Times and values of all samples of a lane, in the order of its rows.
  std::vector<std::pair<BootTime, std::int64_t>> samples(Lane lane) {
    std::vector<std::pair<BootTime, std::int64_t>> all;
    for (const OutboxRow& row : rows(lane)) {
      const auto content = decode_segment_content(row.bytes).value();
      for (const Sample& sample : content.samples) all.emplace_back(sample.time, sample.value.integer());
    }
    return all;
  }

  std::int64_t time_ = 0;
  std::vector<SeriesId> series_of_run_;
};

TEST_F(OutboxRewriteTest, MergesToFullMessagesAndKeepsEverySampleAndItsPlace) {
  insert_small(Lane::live, 300);
  const auto before = samples(Lane::live);
  const std::int64_t bytes_before = outbox_->waiting()[index(Lane::live)].bytes;
  EXPECT_GT(merge_all(), 200U);
  EXPECT_EQ(samples(Lane::live), before);
  EXPECT_LT(outbox_->waiting()[index(Lane::live)].bytes, bytes_before / 3);
  std::uint64_t seq = 0;
  for (const OutboxRow& row : rows(Lane::live)) {  // each number stands in one of them
    EXPECT_EQ(row.header.first_seq, seq + 1);
    EXPECT_FALSE(row.header.is_thinned);
    seq = row.header.seq;
  }
  EXPECT_EQ(seq, 300U);
  EXPECT_EQ(outbox_->oldest_waiting().value(), 1U);
  EXPECT_EQ(outbox_->newest_seq(), 300U);
  const LaneCounts counted = outbox_->waiting();
  open();
  EXPECT_EQ(samples(Lane::live), before);
  EXPECT_EQ(outbox_->waiting()[index(Lane::live)].segments, counted[index(Lane::live)].segments);
  EXPECT_EQ(outbox_->waiting()[index(Lane::live)].readings, 3'000U);
  EXPECT_EQ(outbox_->waiting()[index(Lane::live)].bytes, counted[index(Lane::live)].bytes);
}

TEST_F(OutboxRewriteTest, LeavesAloneWhatMayHaveBeenHandedOut) {
  insert_small(Lane::live, 300);
  const auto all = rows(Lane::live);
  handed_out_.note_left(Lane::live, {1, all[249].row});
  merge_all();
  const auto left = rows(Lane::live);
  for (std::size_t i = 0; i < 250; ++i) EXPECT_EQ(left[i].bytes, all[i].bytes) << i;
}

TEST_F(OutboxRewriteTest, MergesWhatLiesBetweenTheNewestThatWasSentAndTheBacklog) {
  insert_small(Lane::live, 300);
  const auto all = rows(Lane::live);
  const auto before = samples(Lane::live);
  handed_out_.note_left(Lane::live, {1, all[9].row});
  handed_out_.note_left(Lane::live, {all[200].row, all[202].row});
  EXPECT_GT(merge_all(), 190U + 90U);  // the last ones wait until they fill a message
  const auto left = rows(Lane::live);
  EXPECT_LT(left.size(), 40U);
  EXPECT_EQ(samples(Lane::live), before);
  std::uint64_t seq = 0;
  for (const OutboxRow& row : left) {
    EXPECT_EQ(row.header.first_seq, seq + 1);
    seq = row.header.seq;
    const bool was_sent = seq <= 10 || (seq > 200 && seq <= 203);
    EXPECT_TRUE(seq > 290 || (row.header.first_seq == seq) == was_sent) << seq;
  }
}

TEST_F(OutboxRewriteTest, MergesNothingOverNumbersThatWereSentAndAreGone) {
  insert_small(Lane::live, 300);
  const auto all = rows(Lane::live);
  handed_out_.note_left(Lane::live, {all[100].row, all[101].row});
  for (const std::size_t i : {100U, 101U}) ASSERT_TRUE(apply({.acknowledged = {{Lane::live, all[i].row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  EXPECT_GT(merge_all(), 200U);
  for (const OutboxRow& row : rows(Lane::live)) EXPECT_TRUE(row.header.seq < 101 || row.header.first_seq > 102) << row.header.first_seq << ' ' << row.header.seq;
}

TEST_F(OutboxRewriteTest, WaitsUntilAMessageIsFull) {
  insert_small(Lane::live, 5);
  EXPECT_EQ(merge_all(), 0U);
  EXPECT_EQ(rows(Lane::live).size(), 5U);
}

TEST_F(OutboxRewriteTest, KeepsEpochsAndBootsApart) {
  insert_small(Lane::live, 5);
  moment_.boot = "99999999-4567-89ab-cdef-0123456789ab";
  ASSERT_TRUE(outbox_->begin_epoch(kEpoch + 1, kEpoch, {}, moment_));
  insert_small(Lane::live, 5);
  const auto before = samples(Lane::live);
  EXPECT_EQ(merge_all(), 5U);  // to the first of them nothing will ever be added
  const auto left = rows(Lane::live);
  ASSERT_EQ(left.size(), 6U);
  EXPECT_EQ(left[0].header.epoch, kEpoch);
  EXPECT_EQ(left[0].header.first_seq, 1U);
  EXPECT_EQ(left[0].header.seq, 5U);
  EXPECT_EQ(left[1].header.epoch, kEpoch + 1);
  EXPECT_EQ(samples(Lane::live), before);
}

TEST_F(OutboxRewriteTest, TellsOfAllNumbersOfAMergedSegmentThatIsDropped) {
  insert_small(Lane::live, 300);
  merge_all();
  const auto first = rows(Lane::live)[0];
  ASSERT_GT(first.header.seq, 1U);
  ASSERT_TRUE(apply({.acknowledged = {}, .given_up = {{Lane::live, first.row, Gap::Cause::oversize}}, .gaps = {}, .segments = {}}));
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].first_seq, 1U);
  EXPECT_EQ(gaps[0].last_seq, first.header.seq);
  EXPECT_EQ(gaps[0].readings, first.header.readings());
}

TEST_F(OutboxRewriteTest, MakesTheTableOfMergedSegmentsInAnOutboxOfBefore) {
  insert_small(Lane::live, 300);
  outbox_.reset();
  {
    auto database = Sqlite::open(options_.path, {});
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("DROP TABLE merged; DROP TABLE told; UPDATE property SET value = 1 WHERE name = 'schema'"));
  }
  open();
  insert_small(Lane::live, 1);
  EXPECT_GT(merge_all(), 200U);
}

TEST_F(OutboxRewriteTest, ThinsTheOldestBeforeItDropsAndTellsHowMany) {
  options_.quota_bytes = OutboxDatabase::kQuotaBytesMin;
  options_.thin_window = seconds{60};
  open();
  const auto noise = [](std::int64_t i) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(i + 1) * 6364136223846793005ULL >> 2U); };
  insert_small(Lane::bulk, 1'600, 20, noise);
  std::uint64_t in_summaries = 0;
  std::uint64_t as_samples = 0;
  std::uint64_t thinned_segments = 0;
  for (const OutboxRow& row : rows(Lane::bulk)) {
    const auto content = decode_segment_content(row.bytes).value();
    as_samples += content.samples.size();
    thinned_segments += row.header.is_thinned ? 1U : 0U;
    EXPECT_EQ(row.header.is_thinned, !content.summaries.empty());
    for (const Summary& summary : content.summaries) {
      in_summaries += summary.count;
      const std::int64_t from = std::chrono::round<seconds>(summary.start.time_since_epoch()).count();
      EXPECT_EQ(from % 60, 0);
      if (summary.count != 60) continue;
      std::int64_t min = noise(from);
      std::int64_t max = min;
      for (std::int64_t i = from; i < from + 60; ++i) {
        min = std::min(min, noise(i));
        max = std::max(max, noise(i));
      }
      EXPECT_EQ(summary.min.integer(), min);
      EXPECT_EQ(summary.max.integer(), max);
      EXPECT_EQ(summary.last.integer(), noise(from + 59));
    }
  }
  EXPECT_GT(thinned_segments, 3U);
  EXPECT_EQ(as_samples + in_summaries, 32'000U);  // nothing was dropped
  const auto report = rows(Lane::event);
  ASSERT_EQ(report.size(), 1U);
  std::uint64_t told = 0;
  for (const Gap& gap : reported()) {
    EXPECT_EQ(gap.cause, Gap::Cause::thinned);
    told += gap.readings;
  }
  ASSERT_TRUE(apply({.acknowledged = {{Lane::event, report[0].row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  for (const Gap& gap : reported()) told += gap.readings;
  EXPECT_EQ(told, in_summaries);
}

TEST_F(OutboxRewriteTest, ThinsIntoPartsThatSayWhichTheyAreAndWhatTheyStandForTogether) {
  options_.quota_bytes = OutboxDatabase::kQuotaBytesMin;
  options_.thin_window = seconds{60};
  options_.message_bytes_max = 10'000;
  open();
  for (int i = 1; i < 8; ++i) {
    Series series;
    series.name = "node_thing" + std::to_string(i) + "_total";
    series_of_run_.push_back(table_.add(series).value());
  }
  insert_small(Lane::bulk, 800, 20, [](std::int64_t i) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(i + 1) * 6364136223846793005ULL >> 2U); });
  SegmentHeader::Part before;
  std::uint64_t newest = 0;
  int runs = 0;
  for (const OutboxRow& row : rows(Lane::bulk)) {
    const auto& part = row.header.part;
    if (newest == 0 && part.number > 1) continue;  // those before it were dropped
    if (before.number != before.of) {
      EXPECT_EQ(part.first_seq, before.first_seq);
      EXPECT_EQ(part.last_seq, before.last_seq);
    }
    EXPECT_EQ(part.of > 0, row.header.is_thinned);
    if (part.of > 0) {
      EXPECT_EQ(part.number, before.number == before.of ? 1 : before.number + 1);
      EXPECT_EQ(row.header.first_seq == part.first_seq, part.number == 1);
      EXPECT_EQ(row.header.seq == part.last_seq, part.number == part.of);
      runs += part.number == part.of ? 1 : 0;
    }
    EXPECT_GT(row.header.first_seq, newest);
    newest = row.header.seq;
    before = part;
  }
  EXPECT_GT(runs, 3);
}

TEST_F(OutboxRewriteTest, DropsWhatCannotBeThinnedAnyFurther) {
  options_.quota_bytes = OutboxDatabase::kQuotaBytesMin;
  options_.thin_window = seconds{60};
  open();
  insert_small(Lane::bulk, 4'000, 1, [](std::int64_t i) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(i + 1) * 6364136223846793005ULL >> 2U); });
  EXPECT_LE(outbox_->file_bytes(), OutboxDatabase::kQuotaBytesMin);
  EXPECT_GT(rows(Lane::bulk).size(), 100U);
}

}  // namespace
}  // namespace fieldpost
