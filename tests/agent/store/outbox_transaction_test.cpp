// SPDX-License-Identifier: Apache-2.0
// What each step of a change leaves behind: the order of dropping, and gaps that add up.
#include "agent/store/outbox_transaction.hpp"

#include <numeric>

#include "tests/agent/store/outbox_fixture.hpp"

namespace fieldpost {
namespace {

class OutboxTransactionTest : public OutboxTest {
 protected:
  OutboxOutcome give_up(Lane lane, std::int64_t row, Gap::Cause cause) {
    return apply({.acknowledged = {}, .given_up = {{lane, row, cause}}, .gaps = {}, .segments = {}}).value();
  }
  OutboxOutcome acknowledge(Lane lane, std::int64_t row) {
    return apply({.acknowledged = {{lane, row}}, .given_up = {}, .gaps = {}, .segments = {}}).value();
  }
};

TEST_F(OutboxTransactionTest, AcknowledgesOnceAndIgnoresWhatIsNotThere) {
  insert(Lane::live, 6);
  const auto row = rows(Lane::live)[0].row;
  const auto first = acknowledge(Lane::live, row);
  EXPECT_EQ(first.acknowledged_segments, 1U);
  EXPECT_EQ(first.acknowledged_readings, 6U);
  EXPECT_EQ(first.newest_acknowledged, 1U);
  EXPECT_EQ(acknowledge(Lane::live, row).acknowledged_segments, 0U);
  EXPECT_EQ(give_up(Lane::live, row, Gap::Cause::oversize).dropped[index(Lane::live)], 0U);
  EXPECT_TRUE(reported().empty());
}

TEST_F(OutboxTransactionTest, LooksForARowInItsOwnLaneOnly) {
  insert(Lane::live, 6);
  EXPECT_EQ(acknowledge(Lane::bulk, rows(Lane::live)[0].row).acknowledged_segments, 0U);
  EXPECT_EQ(rows(Lane::live).size(), 1U);
}

TEST_F(OutboxTransactionTest, AddsUpLossesOfOneCauseAndKeepsOthersApart) {
  for (int i = 0; i < 4; ++i) insert(Lane::live, 5);
  const auto all = rows(Lane::live);
  OutboxChange change;
  change.given_up = {{Lane::live, all[0].row, Gap::Cause::oversize}, {Lane::live, all[2].row, Gap::Cause::oversize}, {Lane::live, all[1].row, Gap::Cause::damage}};
  const auto outcome = apply(std::move(change)).value();
  EXPECT_EQ(outcome.dropped[index(Lane::live)], 15U);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 2U);
  for (const Gap& gap : gaps) {
    const bool is_merged = gap.cause == Gap::Cause::oversize;
    EXPECT_EQ(gap.readings, is_merged ? 10U : 5U);
    EXPECT_EQ(gap.first_seq, is_merged ? 1U : 2U);
    EXPECT_EQ(gap.last_seq, is_merged ? 3U : 2U);
    EXPECT_EQ(gap.epoch, kEpoch);
    EXPECT_EQ(gap.boot, kBoot);
  }
}

TEST_F(OutboxTransactionTest, ReportsOnceAndAddsUpWhileTheReportWaits) {
  for (int i = 0; i < 4; ++i) insert(Lane::live, 5);
  const auto all = rows(Lane::live);
  for (const auto& row : all) give_up(Lane::live, row.row, Gap::Cause::oversize);
  ASSERT_EQ(reported().size(), 1U);
  EXPECT_EQ(reported()[0].readings, 5U);
  acknowledge(Lane::event, rows(Lane::event)[0].row);
  ASSERT_EQ(reported().size(), 1U);
  EXPECT_EQ(reported()[0].readings, 15U);
}

TEST_F(OutboxTransactionTest, SaysAgainWhatADroppedReportSaid) {
  insert(Lane::live, 5);
  give_up(Lane::live, rows(Lane::live)[0].row, Gap::Cause::oversize);
  const auto report = rows(Lane::event)[0];
  give_up(Lane::event, report.row, Gap::Cause::damage);
  std::uint64_t told = 0;
  for (const Gap& gap : reported()) told += gap.readings;
  EXPECT_EQ(told, 5U);
  EXPECT_NE(rows(Lane::event)[0].header.seq, report.header.seq);
}

TEST_F(OutboxTransactionTest, KeepsTheTableOfGapsBoundedAndLosesNoCount) {
  constexpr std::uint64_t kMany = 2 * OutboxDatabase::kGapsMax;
  OutboxChange change;
  for (std::uint64_t epoch = 1; epoch <= kMany; ++epoch) {
    change.gaps.push_back({.cause = Gap::Cause::damage, .lane = Lane::live, .readings = epoch, .epoch = epoch, .first_seq = 1, .last_seq = 1});
  }
  ASSERT_TRUE(apply(std::move(change)));
  const auto gaps = reported();
  EXPECT_LE(gaps.size(), OutboxDatabase::kGapsMax + 1);
  const auto told = std::accumulate(gaps.begin(), gaps.end(), std::uint64_t{0}, [](std::uint64_t sum, const Gap& gap) { return sum + gap.readings; });
  EXPECT_EQ(told, kMany * (kMany + 1) / 2);
}

TEST_F(OutboxTransactionTest, DropsByAgeOnlyWhatIsSurelyOld) {
  options_.age_max = seconds{50};
  open();
  insert(Lane::live, 5);  // its times are those of second 0
  EXPECT_EQ(apply({}).value().dropped[index(Lane::live)], 5U);
  moment_.now = BootTime{seconds{50}};
  insert(Lane::live, 5);
  ASSERT_TRUE(apply({}));
  EXPECT_EQ(rows(Lane::live).size(), 1U);
  // Another boot, of which nobody knows when it was: a guess throws nothing away.
  moment_ = {"99999999-4567-89ab-cdef-0123456789ab", BootTime{seconds{1'000'000}}};
  ASSERT_TRUE(apply({}));
  EXPECT_EQ(rows(Lane::live).size(), 1U);
}

TEST_F(OutboxTransactionTest, DropsNothingThatSomebodyHasInHand) {
  options_.quota_bytes = OutboxDatabase::kQuotaBytesMin;
  options_.age_max = seconds{50};
  open();
  moment_.now = BootTime{seconds{1}};
  insert(Lane::bulk, 500);
  insert(Lane::bulk, 500);
  const auto held = rows(Lane::bulk);
  handed_out_.hold(Lane::bulk, held[0].row);
  for (int i = 0; i < 100; ++i) insert(Lane::bulk, 500);
  auto left = rows(Lane::bulk);
  EXPECT_EQ(left[0].row, held[0].row);
  EXPECT_GT(left[1].row, held[1].row);
  EXPECT_LE(outbox_->file_bytes(), options_.quota_bytes);
  moment_.now = BootTime{seconds{100}};
  ASSERT_TRUE(apply({}));
  ASSERT_EQ(rows(Lane::bulk).size(), 1U);
  handed_out_.release(Lane::bulk, held[0].row);
  ASSERT_TRUE(apply({}));
  EXPECT_TRUE(rows(Lane::bulk).empty());
}

TEST_F(OutboxTransactionTest, DropsNoLaneBelowItsShareForAnother) {
  options_.quota_bytes = 1 << 20;
  for (const Lane flood : kLanes) {
    SetUp();
    for (const Lane lane : kLanes) {
      if (lane != flood) insert(lane, 5'000);  // 45 KB, far below any share
    }
    for (int i = 0; i < 60; ++i) insert(flood, 5'000);
    for (const Lane lane : kLanes) {
      if (lane == flood) continue;
      EXPECT_EQ(outbox_->waiting()[index(lane)].readings, 5'000U) << to_string(lane) << " under a flood of " << to_string(flood);
    }
    outbox_.reset();
    directory_.write("outbox.db", "");
    directory_.write("outbox.db-wal", "");
  }
}

TEST_F(OutboxTransactionTest, RefusesNewBulkBeforeItTouchesAnAlert) {
  options_.quota_bytes = OutboxDatabase::kQuotaBytesMin;
  open();
  insert(Lane::alert, 5'000);
  const std::size_t alerts = rows(Lane::alert).size();
  const auto outcome = insert(Lane::bulk, 30'000);  // more than the whole file may hold
  EXPECT_EQ(rows(Lane::alert).size(), alerts);
  EXPECT_GT(outcome.dropped[index(Lane::bulk)], 0U);
  EXPECT_EQ(outcome.dropped[index(Lane::bulk)] + outbox_->waiting()[index(Lane::bulk)].readings, 30'000U);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].cause, Gap::Cause::quota);
  EXPECT_EQ(gaps[0].readings, outcome.dropped[index(Lane::bulk)]);
  EXPECT_EQ(gaps[0].first_seq, alerts + 1);  // the oldest of them; its number is spent all the same
}

}  // namespace
}  // namespace fieldpost
