// SPDX-License-Identifier: Apache-2.0
// What the store builds upon: exact values, transactions, bounds, and the kind of each failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "platform/sqlite.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  Sqlite open(const Sqlite::Options& options = {}) {
    auto database = Sqlite::open(path_, options);
    if (!database) {
      ADD_FAILURE() << database.error().sentence();
      std::abort();
    }
    return *std::move(database);
  }

  static std::string answer(Sqlite& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error().sentence();
    const auto row = statement->step();
    if (!row) return row.error().sentence();
    return *row ? std::string{statement->text(0)} : "no row";
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("outbox.db");
};

TEST_F(SqliteTest, OpensWithTheSettingsThatKeepItsPromises) {
  Sqlite database = open({.pages_max = 1000, .wal_bytes_max = 65'536});
  ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  EXPECT_EQ(answer(database, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(answer(database, "PRAGMA synchronous"), "2");
  EXPECT_EQ(answer(database, "PRAGMA locking_mode"), "exclusive");
  EXPECT_EQ(answer(database, "PRAGMA cell_size_check"), "1");
  EXPECT_EQ(answer(database, "PRAGMA trusted_schema"), "0");
  EXPECT_EQ(answer(database, "PRAGMA max_page_count"), "1000");
  EXPECT_EQ(answer(database, "PRAGMA journal_size_limit"), "65536");
  EXPECT_EQ(answer(database, "PRAGMA page_size"), "4096");
  EXPECT_FALSE(directory_.exists("outbox.db-shm"));
}

TEST_F(SqliteTest, NeedsNoSharedMemoryForALogThatIsThereAlready) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  const std::string content = directory_.read("outbox.db");
  const std::string log = directory_.read("outbox.db-wal");
  // As after a power cut: the log is there, nobody has removed it.
  directory_.write("again.db", content);
  directory_.write("again.db-wal", log);
  auto again = Sqlite::open(directory_.file("again.db"), {});
  ASSERT_TRUE(again) << again.error().sentence();
  EXPECT_EQ(answer(*again, "SELECT count(*) FROM t"), "0");
  EXPECT_FALSE(directory_.exists("again.db-shm"));
}

TEST_F(SqliteTest, TheSchemaCannotBeEditedByStatements) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  ASSERT_TRUE(database.execute("PRAGMA writable_schema = ON"));
  EXPECT_FALSE(database.execute("UPDATE sqlite_schema SET sql = 'broken'"));
}

TEST_F(SqliteTest, KeepsValuesExactly) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n)"));
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{0xFF}, std::byte{7}};
  {
    SqliteStatement insert = database.prepare("INSERT INTO t VALUES(?, ?, ?, ?, ?)").value();
    insert.bind(1, std::numeric_limits<std::int64_t>::min());
    insert.bind(2, 0.1);
    insert.bind(3, std::string_view{"caf\xC3\xA9\0x", 7});
    insert.bind(4, std::span<const std::byte>{bytes});
    insert.bind_null(5);
    ASSERT_TRUE(insert.run());
  }
  EXPECT_EQ(database.changes(), 1);
  EXPECT_EQ(database.last_row_id(), 1);
  SqliteStatement select = database.prepare("SELECT * FROM t").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(select.real(1), 0.1);
  EXPECT_EQ(select.text(2), (std::string_view{"caf\xC3\xA9\0x", 7}));
  ASSERT_EQ(select.blob(3).size(), 3U);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), select.blob(3).begin()));
  EXPECT_TRUE(select.is_null(4));
  EXPECT_FALSE(select.is_null(0));
  EXPECT_FALSE(select.step().value());
}

TEST_F(SqliteTest, EmptyIsNotNull) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(s TEXT NOT NULL, b BLOB NOT NULL)"));
  SqliteStatement insert = database.prepare("INSERT INTO t VALUES(?, ?)").value();
  insert.bind(1, std::string_view{});
  insert.bind(2, std::span<const std::byte>{});
  ASSERT_TRUE(insert.run());
  SqliteStatement select = database.prepare("SELECT s, b, typeof(b) FROM t").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.text(0), "");
  EXPECT_TRUE(select.blob(1).empty());
  EXPECT_EQ(select.text(2), "blob");
}

TEST_F(SqliteTest, NamesItsColumnsAndTellsTextFromNumbers) {
  Sqlite database = open();
  auto statement = database.prepare("SELECT 1 AS jobId, 'x' AS [b c], NULL AS n");
  ASSERT_TRUE(statement.has_value());
  ASSERT_TRUE(*statement->step());
  ASSERT_EQ(statement->columns(), 3);
  EXPECT_EQ(statement->column_name(0), "jobId");
  EXPECT_EQ(statement->column_name(1), "b c");
  EXPECT_FALSE(statement->is_text(0));
  EXPECT_TRUE(statement->is_text(1));
  EXPECT_FALSE(statement->is_text(2));
}

TEST_F(SqliteTest, StatementsAreReadyAgainAfterTheirEnd) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x INTEGER PRIMARY KEY)"));
  SqliteStatement insert = database.prepare("INSERT INTO t VALUES(?)").value();
  for (std::int64_t i = 0; i < 10; ++i) {
    insert.bind(1, i);
    ASSERT_TRUE(insert.run());
  }
  insert.bind(1, std::int64_t{5});
  EXPECT_EQ(insert.run().error().kind(), ErrorKind::OutOfRange);  // it is there already
  insert.bind(1, std::int64_t{10});
  EXPECT_TRUE(insert.run());  // and ready again after an error
  EXPECT_EQ(answer(database, "SELECT count(*) FROM t"), "11");
}

TEST_F(SqliteTest, MistakesOfOursAreBugs) {
  Sqlite database = open();
  EXPECT_EQ(database.prepare("SELEKT 1").error().kind(), ErrorKind::Bug);
  EXPECT_EQ(database.execute("INSERT INTO absent VALUES(1)").error().kind(), ErrorKind::Bug);
  SqliteStatement statement = database.prepare("SELECT ?").value();
  statement.bind(2, std::int64_t{1});
  const auto row = statement.step();
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().kind(), ErrorKind::Bug);
  statement.bind(1, std::int64_t{1});
  EXPECT_TRUE(statement.step().value());
  EXPECT_EQ(SqliteStatement{}.step().error().kind(), ErrorKind::Bug);
}

TEST_F(SqliteTest, ATransactionIsWholeOrNothing) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  {
    SqliteTransaction dropped = SqliteTransaction::begin(database).value();
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  }
  EXPECT_EQ(answer(database, "SELECT count(*) FROM t"), "0");
  SqliteTransaction kept = SqliteTransaction::begin(database).value();
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  ASSERT_TRUE(kept.commit());
  EXPECT_EQ(kept.commit().error().kind(), ErrorKind::Bug);
  EXPECT_EQ(answer(database, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteTest, AMovedTransactionEndsOnce) {
  Sqlite database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  {
    SqliteTransaction first = SqliteTransaction::begin(database).value();
    SqliteTransaction second{std::move(first)};
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
    ASSERT_TRUE(second.commit());
  }
  EXPECT_EQ(answer(database, "SELECT count(*) FROM t"), "1");
}

TEST_F(SqliteTest, KeepsWhatWasCommittedWithoutBeingClosed) {
  Sqlite* lost =
      new Sqlite{open({.exclusive = false})};  // NOLINT: as if killed, it is closed only at the end
  ASSERT_TRUE(lost->execute("CREATE TABLE t(x); INSERT INTO t VALUES(42)"));
  {
    Sqlite again = open({.exclusive = false});
    EXPECT_EQ(answer(again, "SELECT x FROM t"), "42");
  }
  delete lost;  // NOLINT
}

TEST_F(SqliteTest, MayBeOpenedByOneOnly) {
  const Sqlite first = open();
  const auto second = Sqlite::open(path_, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
}

TEST_F(SqliteTest, SaysFullAtItsPageBoundAndGoesOn) {
  Sqlite database = open({.pages_max = 20});
  ASSERT_TRUE(database.execute("CREATE TABLE t(x BLOB)"));
  Result<void> inserted;
  int rows = 0;
  while (rows < 100) {
    inserted = database.execute("INSERT INTO t VALUES(zeroblob(3000))");
    if (!inserted) break;
    ++rows;
  }
  ASSERT_FALSE(inserted);
  EXPECT_EQ(inserted.error().kind(), ErrorKind::Full);
  EXPECT_GT(rows, 10);
  EXPECT_EQ(answer(database, "SELECT count(*) FROM t"), std::to_string(rows));
  ASSERT_TRUE(database.execute("DELETE FROM t WHERE rowid <= 5"));
  EXPECT_TRUE(database.execute("INSERT INTO t VALUES(zeroblob(3000))"));
}

TEST_F(SqliteTest, AFullTransactionRollsBackCleanly) {
  Sqlite database = open({.pages_max = 20});
  ASSERT_TRUE(database.execute("CREATE TABLE t(x BLOB)"));
  {
    SqliteTransaction transaction = SqliteTransaction::begin(database).value();
    EXPECT_EQ(database.execute("INSERT INTO t VALUES(zeroblob(200000))").error().kind(), ErrorKind::Full);
  }
  EXPECT_FALSE(database.in_transaction());
  EXPECT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
}

TEST_F(SqliteTest, ReadOnlyRefusesWritesAsDenied) {
  {
    Sqlite database = open();
    ASSERT_TRUE(database.execute("CREATE TABLE t(x); INSERT INTO t VALUES(1)"));
  }
  Sqlite database = open({.read_only = true});
  EXPECT_EQ(answer(database, "SELECT x FROM t"), "1");
  EXPECT_EQ(database.execute("INSERT INTO t VALUES(2)").error().kind(), ErrorKind::Denied);
}

TEST_F(SqliteTest, NotPresentWhenItMayNotBeMade) {
  EXPECT_EQ(Sqlite::open(path_, {.create = false}).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(Sqlite::open(path_, {.read_only = true}).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(Sqlite::open(directory_.file("absent/outbox.db"), {}).error().kind(), ErrorKind::NotPresent);
  EXPECT_FALSE(directory_.exists("outbox.db"));
}

TEST_F(SqliteTest, MalformedWhenItIsNoDatabase) {
  directory_.write("outbox.db", std::string(8192, 'x'));
  const auto database = Sqlite::open(path_, {});
  ASSERT_FALSE(database);
  EXPECT_EQ(database.error().kind(), ErrorKind::Malformed);
  EXPECT_NE(database.error().sentence().find("not a database"), std::string::npos)
      << database.error().sentence();
}

TEST_F(SqliteTest, DamageIsMalformed) {
  {
    Sqlite database = open();
    ASSERT_TRUE(database.execute("CREATE TABLE t(x BLOB)"));
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(database.execute("INSERT INTO t VALUES(randomblob(500))"));
    ASSERT_TRUE(database.quick_check());
  }
  const std::string whole = directory_.read("outbox.db");
  ASSERT_GT(whole.size(), 40'000U);

  std::string schema_page = whole;
  std::fill(schema_page.begin() + 100, schema_page.begin() + 4096, '\xA5');
  directory_.write("outbox.db", schema_page);
  const auto opened = Sqlite::open(path_, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind(), ErrorKind::Malformed);

  std::string middle = whole;
  std::fill(middle.begin() + 4096 * 3, middle.begin() + 4096 * 5, '\xA5');
  directory_.write("outbox.db", middle);
  {
    Sqlite damaged = open();
    EXPECT_EQ(damaged.quick_check().error().kind(), ErrorKind::Malformed);
    EXPECT_EQ(damaged.prepare("SELECT sum(length(x)) FROM t").value().step().error().kind(),
              ErrorKind::Malformed);
  }

  directory_.write("outbox.db", whole.substr(0, 4096 * 4));  // a copy that was cut off
  {
    auto cut = Sqlite::open(path_, {});
    if (cut) {
      EXPECT_EQ(cut->quick_check().error().kind(), ErrorKind::Malformed);
    } else {
      EXPECT_EQ(cut.error().kind(), ErrorKind::Malformed);
    }
  }
}

TEST_F(SqliteTest, AnEmptyFileIsANewDatabase) {
  directory_.write("outbox.db", "");
  Sqlite database = open();
  EXPECT_TRUE(database.execute("CREATE TABLE t(x)"));
}

TEST_F(SqliteTest, ADirectoryInItsPlaceIsAnErrorNotACrash) {
  directory_.write("outbox.db/file", "");
  EXPECT_FALSE(Sqlite::open(path_, {}));
}

TEST_F(SqliteTest, TheWalIsCutBackToItsBoundAfterACheckpoint) {
  Sqlite database = open({.wal_bytes_max = 32'768});
  ASSERT_TRUE(database.execute("CREATE TABLE t(x BLOB)"));
  {
    SqliteTransaction large = SqliteTransaction::begin(database).value();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(database.execute("INSERT INTO t VALUES(zeroblob(10000))"));
    ASSERT_TRUE(large.commit());
  }
  EXPECT_GT(directory_.read("outbox.db-wal").size(), 32'768U);
  ASSERT_TRUE(database.checkpoint());
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));  // the next writer starts over and cuts
  EXPECT_LE(directory_.read("outbox.db-wal").size(), 32'768U);
}

TEST_F(SqliteTest, StatementsMayOutliveTheirConnection) {
  std::optional<SqliteStatement> statement;
  {
    Sqlite database = open();
    statement = database.prepare("SELECT 1").value();
  }
  EXPECT_TRUE(statement->step().value());
}

}  // namespace
}  // namespace fieldpost
