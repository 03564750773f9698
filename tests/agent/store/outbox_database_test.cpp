// SPDX-License-Identifier: Apache-2.0
// What an outbox remembers over a restart, and what it makes of files that are not as it left them.
#include "agent/store/outbox_database.hpp"

#include "platform/durable_file.hpp"
#include "platform/sqlite.hpp"
#include "tests/agent/store/outbox_fixture.hpp"

namespace fieldpost {
namespace {

class OutboxDatabaseTest : public OutboxTest {
 protected:
  /// Runs SQL on the file while the outbox is closed.
  void change_file(const std::string& sql) {
    outbox_.reset();
    auto database = Sqlite::open(options_.path, {});
    ASSERT_TRUE(database && database->execute(sql.c_str())) << sql;
  }

  /// Inverts bits of the byte that stands so many before the oldest body of the file, while the outbox is closed.
  void damage_oldest_body(std::size_t bytes_before, unsigned char bits) {
    outbox_.reset();  // writes the log back
    auto file = read_file(options_.path, 1 << 20).value();
    const auto body = file.rfind("FPSG");  // a page is filled from its end
    ASSERT_NE(body, std::string::npos);
    char& byte = file[body - bytes_before];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ bits);
    ASSERT_TRUE(replace_file_durably(options_.path, file));
  }

  ErrorKind kind_of_opening() {
    const auto opened = OutboxDatabase::open(options_, boots_, failures_, handed_out_);
    return opened ? ErrorKind::NotPresent : opened.error().kind();
  }
};

TEST_F(OutboxDatabaseTest, RemembersEpochNumbersAndCountsOverARestart) {
  insert(Lane::live, 7);
  insert(Lane::alert, 1);
  ASSERT_TRUE(apply({.acknowledged = {{Lane::live, rows(Lane::live)[0].row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  insert(Lane::live, 3);
  open();
  EXPECT_EQ(outbox_->epoch(), kEpoch);
  EXPECT_EQ(outbox_->newest_seq(), 3U);
  EXPECT_EQ(outbox_->waiting()[index(Lane::live)].segments, 1U);
  EXPECT_EQ(outbox_->waiting()[index(Lane::live)].readings, 3U);
  EXPECT_EQ(outbox_->waiting()[index(Lane::alert)].readings, 1U);
  EXPECT_EQ(outbox_->oldest_waiting().value(), 2U);
  EXPECT_EQ(rows(Lane::live)[0].header.seq, 3U);
}

TEST_F(OutboxDatabaseTest, KnowsFromWhereOnItBearsAllNumbers) {
  EXPECT_TRUE(outbox_->bears_all_since(0));
  for (int i = 0; i < 4; ++i) insert(Lane::live);
  ASSERT_TRUE(apply({.acknowledged = {{Lane::live, rows(Lane::live)[1].row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  open();
  EXPECT_FALSE(outbox_->bears_all_since(1));
  EXPECT_TRUE(outbox_->bears_all_since(2));
  EXPECT_TRUE(outbox_->bears_all_since(4));
}

TEST_F(OutboxDatabaseTest, BeginsAnEpochFromOneWithWhatIsKnownToBeLost) {
  insert(Lane::live);
  const Gap lost{.cause = Gap::Cause::damage, .lane = Lane::bulk, .readings = 5, .epoch = 77, .first_seq = 8, .last_seq = 9};
  ASSERT_TRUE(outbox_->begin_epoch(1, 77, {lost}, moment_));
  open();
  EXPECT_EQ(outbox_->epoch(), 1U);
  EXPECT_EQ(outbox_->succeeds(), 77U);
  EXPECT_EQ(outbox_->newest_seq(), 0U);
  insert(Lane::live);
  const auto all = rows(Lane::live);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].header.epoch, kEpoch);
  EXPECT_EQ(all[1].header.epoch, 1U);
  EXPECT_EQ(all[1].header.seq, 1U);
  EXPECT_GT(all[1].row, all[0].row);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].readings, 5U);
  EXPECT_EQ(gaps[0].epoch, 77U);
}

TEST_F(OutboxDatabaseTest, TurnsADamagedBodyAndAMissingOneIntoGaps) {
  for (int i = 0; i < 3; ++i) insert(Lane::live, 4);
  const auto all = rows(Lane::live);
  change_file("UPDATE body SET bytes = zeroblob(100) WHERE row = " + std::to_string(all[0].row) + "; DELETE FROM body WHERE row = " +
              std::to_string(all[1].row));
  open();
  EXPECT_EQ(rows(Lane::live).size(), 1U);
  EXPECT_EQ(dropped_[index(Lane::live)], 8U);
  EXPECT_TRUE(rows(Lane::live).size() == 1 && dropped_[index(Lane::live)] == 0);
  insert(Lane::live);
  std::uint64_t told = 0;
  for (const Gap& gap : reported()) {
    EXPECT_EQ(gap.cause, Gap::Cause::damage);
    told += gap.readings;
  }
  EXPECT_EQ(told, 8U);
}

/// Which byte before its bytes. A cell: payload size (two bytes, as long as these are), row, length of its header, two types, the bytes.
class DamagedCellTest : public OutboxDatabaseTest, public testing::WithParamInterface<std::size_t> {};

TEST_P(DamagedCellTest, CostsThatSegmentAndIsTold) {
  for (int i = 0; i < 3; ++i) insert(Lane::live, 12);
  damage_oldest_body(GetParam(), 0x7F);
  open();
  EXPECT_EQ(rows(Lane::live).size(), 2U);
  EXPECT_EQ(dropped_[index(Lane::live)], 12U);
  for (int i = 0; i < 20; ++i) insert(Lane::live);  // into its page, and more than that holds
  const auto left = rows(Lane::live);
  ASSERT_EQ(left.size(), 22U);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].cause, Gap::Cause::damage);
  EXPECT_EQ(gaps[0].readings, 12U);
  OutboxChange all;
  for (const OutboxRow& row : left) all.acknowledged.push_back({Lane::live, row.row});
  const auto acknowledged = apply(std::move(all));  // what shares its page goes
  EXPECT_TRUE(acknowledged) << acknowledged.error().sentence();
  insert(Lane::live);
  open();
  EXPECT_EQ(rows(Lane::live).size(), 1U);
}

TEST_P(DamagedCellTest, CanBeAcknowledgedDroppedAndThinned) {
  options_.thin_window = seconds{1};
  for (int i = 0; i < 6; ++i) insert(Lane::live, 12);
  std::vector<std::int64_t> all;
  for (const OutboxRow& row : rows(Lane::live)) all.push_back(row.row);
  damage_oldest_body(GetParam(), 0x7F);
  open();
  ASSERT_TRUE(apply({.acknowledged = {{Lane::live, all[0]}}, .given_up = {}, .gaps = {}, .segments = {}}));
  damage_oldest_body(GetParam(), 0x7F);
  open();
  ASSERT_TRUE(apply({.acknowledged = {}, .given_up = {{Lane::live, all[1], Gap::Cause::oversize}}, .gaps = {}, .segments = {}}));
  insert(Lane::live);
  const auto left = rows(Lane::live);
  ASSERT_EQ(left.size(), 5U);
  EXPECT_EQ(left[0].row, all[2]);
  EXPECT_EQ(dropped_[index(Lane::live)], 0U);
}

INSTANTIATE_TEST_SUITE_P(EachByte, DamagedCellTest, testing::Range<std::size_t>(1, 8));

TEST_F(OutboxDatabaseTest, GivesANewSegmentNoRowOfABodyThatWasLeftBehind) {
  for (int i = 0; i < 3; ++i) insert(Lane::live, 12);
  change_file("DELETE FROM segment");
  open();
  for (int i = 0; i < 3; ++i) insert(Lane::live, 4);
  EXPECT_EQ(rows(Lane::live).size(), 3U);
  EXPECT_EQ(dropped_[index(Lane::live)], 0U);
}

TEST_F(OutboxDatabaseTest, GivesWhatIsBehindMoreDamagedBodiesThanItWasAskedFor) {
  for (int i = 0; i < 40; ++i) insert(Lane::live, 4);
  const auto all = rows(Lane::live);
  change_file("UPDATE body SET bytes = zeroblob(100) WHERE row < " + std::to_string(all[35].row));
  open();
  dropped_ = {};
  const auto found = outbox_->fetch(Lane::live, 0, 16, 64U << 20U, dropped_).value();
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[0].row, all[35].row);
  EXPECT_EQ(dropped_[index(Lane::live)], 35U * 4U);
}

TEST_F(OutboxDatabaseTest, SaysAgainWhatAReportSaidThatCannotBeReadAnyMore) {
  insert(Lane::live, 7);
  ASSERT_TRUE(apply({.acknowledged = {}, .given_up = {{Lane::live, rows(Lane::live)[0].row, Gap::Cause::oversize}}, .gaps = {}, .segments = {}}));
  const auto report = rows(Lane::event)[0];
  change_file("UPDATE body SET bytes = zeroblob(100) WHERE row = " + std::to_string(report.row));
  open();
  EXPECT_TRUE(rows(Lane::event).empty());
  insert(Lane::live, 1);
  std::uint64_t told = 0;
  for (const Gap& gap : reported()) told += gap.cause == Gap::Cause::oversize ? gap.readings : 0;
  EXPECT_EQ(told, 7U);
  const auto again = rows(Lane::event);
  ASSERT_TRUE(apply({.acknowledged = {{Lane::event, again[0].row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  EXPECT_TRUE(reported().empty());
}

TEST_F(OutboxDatabaseTest, WorksOnAFileOfALaterVersionThatHasATableMore) {
  insert(Lane::live, 4);
  change_file("CREATE TABLE later(z); UPDATE property SET value = 3 WHERE name = 'schema'");
  open();
  insert(Lane::live, 4);
  EXPECT_EQ(rows(Lane::live).size(), 2U);
}

TEST_F(OutboxDatabaseTest, CallsRowsThatMakeNoSenseMalformed) {
  insert(Lane::live);
  for (const char* sql : {"UPDATE segment SET lane = 9", "UPDATE segment SET lane = 2, readings = -1", "UPDATE segment SET readings = 1, row = -5",
                          "UPDATE segment SET row = 9223372036854775807"}) {
    change_file(sql);
    EXPECT_EQ(kind_of_opening(), ErrorKind::Malformed) << sql;
  }
}

TEST_F(OutboxDatabaseTest, CallsNumbersThatDoNotAscendInTheirLaneMalformed) {
  insert(Lane::live);
  insert(Lane::bulk);
  insert(Lane::live);
  open();
  change_file("UPDATE segment SET seq = 1 WHERE seq = 3");
  EXPECT_EQ(kind_of_opening(), ErrorKind::Malformed);
}

TEST_F(OutboxDatabaseTest, RefusesNumbersPastTheEndOfAnEpoch) {
  change_file("PRAGMA user_version = 2147483646");
  open();
  EXPECT_EQ(outbox_->newest_seq(), OutboxDatabase::kSeqMax - 1);
  insert(Lane::live);
  EXPECT_EQ(outbox_->newest_seq(), OutboxDatabase::kSeqMax);
  OutboxChange change;
  change.segments = segments(Lane::live);
  EXPECT_EQ(apply(std::move(change)).error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(rows(Lane::live).size(), 1U);
}

TEST_F(OutboxDatabaseTest, KeepsItsQuotaInAFileWithLargerPages) {
  outbox_.reset();
  directory_.write("outbox.db", "");
  directory_.write("outbox.db-wal", "");
  options_.quota_bytes = 512 << 10;
  {
    auto database = Sqlite::open(options_.path, {.page_bytes = 8192});
    ASSERT_TRUE(database && database->execute("CREATE TABLE t(x); DROP TABLE t"));
  }
  open();
  ASSERT_TRUE(outbox_->begin_epoch(kEpoch, 0, {}, moment_));
  for (int i = 0; i < 200; ++i) insert(Lane::bulk, 1'000);
  EXPECT_GT(outbox_->file_bytes(), 128 << 10);
  EXPECT_LE(outbox_->file_bytes(), options_.quota_bytes);
  outbox_.reset();
  EXPECT_LE(directory_.read("outbox.db").size(), static_cast<std::size_t>(options_.quota_bytes));
}

TEST_F(OutboxDatabaseTest, GivesRowsAboveThoseItIsTold) {
  outbox_->keep_rows_above(1'000);
  insert(Lane::live);
  EXPECT_EQ(rows(Lane::live)[0].row, 1'001);
  outbox_->keep_rows_above(5);
  insert(Lane::live);
  EXPECT_EQ(rows(Lane::live)[1].row, 1'002);
}

TEST(ReadFailures, BadBlocksLieTogetherAndADiskThatStumblesLaterGetsItsAttempts) {
  const Error io{ErrorKind::Io, "EIO"};
  ReadFailures failures;
  EXPECT_FALSE(failures.note(1, io));
  EXPECT_FALSE(failures.note(1, io));
  EXPECT_TRUE(failures.note(1, io));
  EXPECT_TRUE(failures.note(2, io));
  failures.note_read();
  EXPECT_FALSE(failures.note(3, io));
  EXPECT_FALSE(failures.is_given_up(3));
}

TEST(ReadFailures, DamageDoesNotPassAndSaysNothingOfTheDisk) {
  ReadFailures failures;
  EXPECT_TRUE(failures.note(1, Error{ErrorKind::Malformed, "malformed"}));
  EXPECT_FALSE(failures.note(2, Error{ErrorKind::Io, "EIO"}));
  EXPECT_FALSE(failures.note(3, Error{ErrorKind::Full, "full"}));
}

TEST(ReadFailures, AreOfSoManyRowsAndNoMore) {
  ReadFailures failures;
  const Error damage{ErrorKind::Malformed, "malformed"};
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(ReadFailures::kRowsMax); ++row) EXPECT_TRUE(failures.note(row, damage));
  EXPECT_FALSE(failures.note(ReadFailures::kRowsMax, damage));
  EXPECT_TRUE(failures.note(0, damage));
}

}  // namespace
}  // namespace fieldpost
