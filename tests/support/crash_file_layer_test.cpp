// SPDX-License-Identifier: Apache-2.0
// Our durable files and SQLite really stand on the disk in memory.
#include "tests/support/crash_file_layer.hpp"

#include <gtest/gtest.h>

#include "platform/durable_file.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {
namespace {

const std::string kPlace = CrashFileLayer::kDirectory;

/// A disk that stays mounted as long as it lives.
class Mounted {
 public:
  explicit Mounted(CrashDisk disk) : disk_{std::move(disk)} { CrashFileLayer::mount(&disk_, 1); }
  ~Mounted() { CrashFileLayer::mount(nullptr, 1); }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  CrashDisk* operator->() { return &disk_; }

 private:
  CrashDisk disk_;
};

class CrashFileLayerTest : public testing::Test {
 protected:
  void SetUp() override { CrashFileLayer::mount(&disk_, 1); }
  void TearDown() override { CrashFileLayer::mount(nullptr, 1); }

  CrashDisk disk_;
};

TEST_F(CrashFileLayerTest, BearsADurableFileThatOutlivesEveryCut) {
  ASSERT_TRUE(replace_file_durably(kPlace + "/file", "first"));
  EXPECT_EQ(disk_.names(), std::vector<std::string>{"file"});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Mounted left{disk_.after_power_cut(seed)};
    EXPECT_EQ(read_file(kPlace + "/file", 100).value(), "first");
  }
}

TEST_F(CrashFileLayerTest, LeavesTheOldFileOrTheNewOneWhereverAReplacementIsCut) {
  ASSERT_TRUE(replace_file_durably(kPlace + "/file", "first"));
  for (std::uint64_t changes = 1; changes < 10; ++changes) {
    Mounted disk{disk_};
    disk->cut_power_after(changes);
    const bool done = replace_file_durably(kPlace + "/file", "second").has_value();
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const Mounted left{disk->after_power_cut(seed)};
      const auto content = read_file(kPlace + "/file", 100);
      ASSERT_TRUE(content);
      EXPECT_TRUE(*content == "second" || (!done && *content == "first")) << *content;
    }
  }
}

TEST_F(CrashFileLayerTest, BearsADatabaseThatKeepsWhatWasCommitted) {
  auto database = Sqlite::open(kPlace + "/x.db", {});
  ASSERT_TRUE(database) << database.error().sentence();
  ASSERT_TRUE(database->execute("CREATE TABLE t(n); INSERT INTO t VALUES(42)"));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Mounted left{disk_.after_power_cut(seed)};
    auto again = Sqlite::open(kPlace + "/x.db", {});
    ASSERT_TRUE(again) << again.error().sentence();
    auto statement = again->prepare("SELECT n FROM t");
    ASSERT_TRUE(statement && statement->step().value_or(false)) << "seed " << seed;
    EXPECT_EQ(statement->integer(0), 42);
  }
}

TEST_F(CrashFileLayerTest, LeavesAProcessOfBeforeTheCutNothingButErrors) {
  auto database = Sqlite::open(kPlace + "/x.db", {});
  ASSERT_TRUE(database->execute("CREATE TABLE t(n)"));
  disk_.cut_power();
  EXPECT_FALSE(database->execute("INSERT INTO t VALUES(1)"));
  EXPECT_FALSE(replace_file_durably(kPlace + "/file", "x"));
}

}  // namespace
}  // namespace fieldpost
