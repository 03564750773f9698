// SPDX-License-Identifier: Apache-2.0
// Tables that are not ours are damage, and so is what only damage can cause.
#include "agent/store/schema.hpp"

#include <array>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr const char* kSchema = "CREATE TABLE a(x); CREATE TABLE b(y);";
constexpr std::array<std::string_view, 2> kTables{"a", "b"};

class SchemaTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::string path_ = directory_.file("x.db");
  Sqlite database_ = Sqlite::open(path_, {}).value();
};

TEST_F(SchemaTest, MakesItsTablesOnceAndKeepsWhatIsInThem) {
  ASSERT_TRUE(make_tables(database_, kSchema, kTables));
  ASSERT_TRUE(database_.execute("INSERT INTO a VALUES(1)"));
  ASSERT_TRUE(make_tables(database_, kSchema, kTables));
  auto statement = database_.prepare("SELECT count(*) FROM a").value();
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 1);
}

TEST_F(SchemaTest, CallsATableTooFewOrOfAnotherNameMalformed) {
  ASSERT_TRUE(make_tables(database_, kSchema, kTables));
  for (const char* sql : {"DROP TABLE b", "CREATE TABLE c(y)", "DROP TABLE a; CREATE TABLE b(y)"}) {
    ASSERT_TRUE(database_.execute(sql));
    EXPECT_EQ(make_tables(database_, kSchema, kTables).error().kind(), ErrorKind::Malformed) << sql;
  }
}

TEST_F(SchemaTest, LeavesTheTablesOfALaterVersionAlone) {
  ASSERT_TRUE(make_tables(database_, kSchema, kTables));
  ASSERT_TRUE(database_.execute("CREATE TABLE later(z); INSERT INTO later VALUES(1); CREATE INDEX on_later ON later(z)"));
  ASSERT_TRUE(make_tables(database_, kSchema, kTables));
  auto statement = database_.prepare("SELECT count(*) FROM later").value();
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 1);
}

TEST_F(SchemaTest, LeavesNothingOfASchemaThatFailsInTheMiddle) {
  EXPECT_FALSE(make_tables(database_, "CREATE TABLE a(x); CREATE TABLE a(x);", kTables));
  EXPECT_TRUE(make_tables(database_, kSchema, kTables));
}

TEST_F(SchemaTest, TellsDamageFromWhatADiskDoes) {
  const auto damage = [this](ErrorKind kind) { return is_damage(Error{kind, "x"}, path_); };
  for (const ErrorKind kind : {ErrorKind::Malformed, ErrorKind::Bug, ErrorKind::OutOfRange}) EXPECT_TRUE(damage(kind));
  for (const ErrorKind kind : {ErrorKind::NotPresent, ErrorKind::Io, ErrorKind::Timeout, ErrorKind::Unavailable, ErrorKind::Full}) EXPECT_FALSE(damage(kind));
  // "Read-only", of a file that may be written: the header's version bytes.
  EXPECT_TRUE(damage(ErrorKind::Denied));
  EXPECT_FALSE(is_damage(Error{ErrorKind::Denied, "x"}, directory_.file("missing.db")));
  // No disk makes a directory of a file.
  ASSERT_EQ(::mkdir(directory_.file("folder.db").c_str(), 0750), 0);
  EXPECT_TRUE(is_damage(Error{ErrorKind::Io, "x"}, directory_.file("folder.db")));
}

}  // namespace
}  // namespace fieldpost
