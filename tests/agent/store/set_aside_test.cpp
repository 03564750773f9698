// SPDX-License-Identifier: Apache-2.0
// A damaged database keeps its log, and only so many are kept.
#include "agent/store/set_aside.hpp"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr UtcTime kNow{seconds{1'767'268'800}};  // 2026-01-01T12:00:00Z

TEST(SetAside, RenamesADatabaseTogetherWithItsLog) {
  const TemporaryDirectory directory;
  directory.write("outbox.db", "database");
  directory.write("outbox.db-wal", "log");
  directory.write("outbox.db-shm", "index");
  const auto name = set_aside(directory.file("outbox.db"), kNow);
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, directory.file("outbox.db.damaged-20260101T120000Z"));
  EXPECT_EQ(directory.read("outbox.db.damaged-20260101T120000Z"), "database");
  EXPECT_EQ(directory.read("outbox.db.damaged-20260101T120000Z-wal"), "log");
  EXPECT_FALSE(directory.exists("outbox.db"));
  EXPECT_FALSE(directory.exists("outbox.db-wal"));
  EXPECT_FALSE(directory.exists("outbox.db-shm"));
}

TEST(SetAside, KeepsTheNewestFew) {
  const TemporaryDirectory directory;
  for (int i = 0; i < 5; ++i) {
    directory.write("outbox.db", "number " + std::to_string(i));
    directory.write("outbox.db-wal", "log");
    ASSERT_TRUE(set_aside(directory.file("outbox.db"), kNow + std::chrono::hours{i}));
  }
  EXPECT_FALSE(directory.exists("outbox.db.damaged-20260101T140000Z"));
  EXPECT_FALSE(directory.exists("outbox.db.damaged-20260101T140000Z-wal"));
  EXPECT_EQ(directory.read("outbox.db.damaged-20260101T150000Z"), "number 3");
  EXPECT_EQ(directory.read("outbox.db.damaged-20260101T160000Z"), "number 4");
  EXPECT_EQ(kDamagedKeptMax, 2U);
}

TEST(SetAside, TellsTwoOfOneSecondApart) {
  const TemporaryDirectory directory;
  directory.write("outbox.db", "one");
  ASSERT_TRUE(set_aside(directory.file("outbox.db"), kNow));
  directory.write("outbox.db", "two");
  EXPECT_EQ(*set_aside(directory.file("outbox.db"), kNow), directory.file("outbox.db.damaged-20260101T120000Z.001"));
  EXPECT_EQ(directory.read("outbox.db.damaged-20260101T120000Z"), "one");
}

TEST(SetAside, KeepsTheLatestAlsoWhereTheClockWentBack) {
  const TemporaryDirectory directory;
  for (int day = 3; day > 0; --day) {
    directory.write("outbox.db", "number " + std::to_string(day));
    const auto name = set_aside(directory.file("outbox.db"), kNow + std::chrono::days{day == 1 ? -400 : day});
    ASSERT_TRUE(name);
    EXPECT_EQ(directory.read(name->substr(directory.path().size() + 1)), "number " + std::to_string(day));
  }
  EXPECT_EQ(copies_set_aside(directory.file("outbox.db")).size(), 2U);
  EXPECT_TRUE(copies_set_aside(directory.file("state.db")).empty());
}

TEST(SetAside, NeverRemovesTheCopyThatIsYetToBeSalvaged) {
  const TemporaryDirectory directory;
  directory.write("outbox.db", "full");
  const std::string kept = set_aside(directory.file("outbox.db"), kNow).value();
  std::string newest;
  for (int i = 1; i < 5; ++i) {
    directory.write("outbox.db", "empty");
    newest = set_aside(directory.file("outbox.db"), kNow + std::chrono::hours{i}, kept).value();
  }
  EXPECT_EQ(copies_set_aside(directory.file("outbox.db")), (std::vector<std::string>{kept, newest}));
  remove_copies_set_aside(directory.file("outbox.db"), 1, {kept});
  EXPECT_EQ(copies_set_aside(directory.file("outbox.db")), std::vector<std::string>{kept});
}

TEST(SetAside, LeavesOtherFilesAloneAndBearsWithNothingToDo) {
  const TemporaryDirectory directory;
  directory.write("state.db", "other");
  EXPECT_TRUE(set_aside(directory.file("outbox.db"), kNow));
  EXPECT_EQ(directory.read("state.db"), "other");
}

}  // namespace
}  // namespace fieldpost
