// SPDX-License-Identifier: Apache-2.0
// A copy that holds what the log holds, and goes when nobody looks any more.
#include "agent/store/outbox_snapshot.hpp"

#include <unistd.h>

#include <optional>

#include <gtest/gtest.h>

#include "platform/sqlite.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

class OutboxSnapshotTest : public testing::Test {
 protected:
  static std::int64_t rows_of(const std::string& path) {
    auto database = Sqlite::open(path, {}).value();
    auto statement = database.prepare("SELECT count(*) FROM t").value();
    return statement.step().value_or(false) ? statement.integer(0) : -1;
  }

  TemporaryDirectory directory_;
};

TEST_F(OutboxSnapshotTest, HoldsWhatIsInTheLogOnlyWhileTheDatabaseIsInUse) {
  auto database = Sqlite::open(directory_.file("outbox.db"), {}).value();
  ASSERT_TRUE(database.execute("CREATE TABLE t(x); INSERT INTO t VALUES(1), (2)"));
  ASSERT_TRUE(exists(directory_.file("outbox.db-wal")));
  auto snapshot = OutboxSnapshot::take(directory_.file("."));
  ASSERT_TRUE(snapshot) << snapshot.error().sentence();
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(3)"));
  EXPECT_EQ(rows_of(snapshot->path()), 2);
}

TEST_F(OutboxSnapshotTest, NeedsNoLog) {
  {
    auto database = Sqlite::open(directory_.file("outbox.db"), {}).value();
    ASSERT_TRUE(database.execute("CREATE TABLE t(x)"));
  }
  ASSERT_FALSE(exists(directory_.file("outbox.db-wal")));
  EXPECT_EQ(rows_of(OutboxSnapshot::take(directory_.file(".")).value().path()), 0);
}

TEST_F(OutboxSnapshotTest, GoesWithItsObjectAndNotBefore) {
  directory_.write("outbox.db", "bytes");
  auto first = OutboxSnapshot::take(directory_.file(".")).value();
  const std::string path = first.path();
  std::optional<OutboxSnapshot> second{std::move(first)};
  EXPECT_TRUE(exists(path));
  second.reset();
  EXPECT_FALSE(exists(path));
  EXPECT_FALSE(exists(path.substr(0, path.rfind('/'))));
}

TEST_F(OutboxSnapshotTest, SaysThatThereIsNoOutbox) {
  EXPECT_EQ(OutboxSnapshot::take(directory_.file(".")).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(OutboxSnapshot::take(directory_.file("missing")).error().kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
