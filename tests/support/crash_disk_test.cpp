// SPDX-License-Identifier: Apache-2.0
// What a cut may and may not leave.
#include "tests/support/crash_disk.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::vector<std::byte> filled(std::size_t size, int with) { return std::vector<std::byte>(size, static_cast<std::byte>(with)); }

std::vector<std::byte> content_of(const CrashDisk& disk, std::string_view name) {
  const auto content = disk.content(disk.find(name));
  return {content.begin(), content.end()};
}

class CrashDiskTest : public testing::Test {
 protected:
  CrashDisk::Inode make(const char* name) {
    EXPECT_TRUE(disk_.create(name));
    return disk_.find(name);
  }

  CrashDisk disk_;
};

TEST_F(CrashDiskTest, KeepsWhatWasSyncedWhateverTheSeed) {
  const auto file = make("a");
  disk_.write(file, 0, filled(5000, 1));
  disk_.sync(file);
  disk_.sync_directory();
  for (std::uint64_t seed = 0; seed < 200; ++seed) EXPECT_EQ(content_of(disk_.after_power_cut(seed), "a"), filled(5000, 1));
}

TEST_F(CrashDiskTest, LosesASyncedFileWhoseEntryWasNot) {
  const auto file = make("a");
  disk_.write(file, 0, filled(10, 1));
  disk_.sync(file);
  std::set<bool> kept;
  for (std::uint64_t seed = 0; seed < 100; ++seed) kept.insert(disk_.after_power_cut(seed).find("a") != CrashDisk::kNone);
  EXPECT_EQ(kept.size(), 2U);
}

TEST_F(CrashDiskTest, TearsDropsReordersAndGarblesWhatWasNotSyncedAndNothingBesideIt) {
  const auto file = make("a");
  disk_.write(file, 0, filled(16'384, 1));
  disk_.sync(file);
  disk_.sync_directory();
  disk_.write(file, 4'096, filled(2'048, 2));
  disk_.write(file, 8'192, filled(4'096, 3));
  disk_.write(file, 8'192, filled(4'096, 4));
  bool second_without_first = false;
  bool torn = false;
  bool garbled = false;
  bool older_of_two = false;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto left = content_of(disk_.after_power_cut(seed), "a");
    ASSERT_EQ(left.size(), 16'384U);
    const auto all_are = [&left](std::size_t from, std::size_t to, std::initializer_list<int> allowed) {
      return std::all_of(left.begin() + static_cast<std::ptrdiff_t>(from), left.begin() + static_cast<std::ptrdiff_t>(to), [&](std::byte byte) {
        return std::find(allowed.begin(), allowed.end(), std::to_integer<int>(byte)) != allowed.end();
      });
    };
    ASSERT_TRUE(all_are(0, 4'096, {1}) && all_are(6'144, 8'192, {1}) && all_are(12'288, 16'384, {1})) << "seed " << seed;
    garbled = garbled || !all_are(4'096, 6'144, {1, 2}) || !all_are(8'192, 12'288, {1, 3, 4});
    torn = torn || (left[4'096] == std::byte{2} && left[6'143] == std::byte{1});
    second_without_first = second_without_first || (all_are(4'096, 6'144, {1}) && all_are(8'192, 12'288, {4}));
    older_of_two = older_of_two || all_are(8'192, 12'288, {3});
  }
  EXPECT_TRUE(second_without_first && torn && garbled && older_of_two);
}

TEST_F(CrashDiskTest, BringsBackWhatWasRemovedAndUndoesWhatWasRenamedUntilTheDirectoryIsSynced) {
  const auto file = make("a");
  disk_.write(file, 0, filled(10, 1));
  disk_.sync(file);
  make("b");
  disk_.sync_directory();
  disk_.rename("b", "c");
  disk_.remove("a");
  std::set<std::vector<std::string>> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) found.insert(disk_.after_power_cut(seed).names());
  EXPECT_EQ(found, (std::set<std::vector<std::string>>{{"a", "b"}, {"a", "c"}, {"b"}, {"c"}}));
  disk_.sync_directory();
  EXPECT_EQ(disk_.after_power_cut(1).names(), std::vector<std::string>{"c"});
}

TEST_F(CrashDiskTest, RefusesEverythingFromTheCutOn) {
  const auto file = make("a");
  disk_.cut_power_after(2);
  EXPECT_TRUE(disk_.write(file, 0, filled(10, 1)));
  EXPECT_FALSE(disk_.write(file, 10, filled(10, 2)));  // this one may still get through
  EXPECT_TRUE(disk_.is_off());
  EXPECT_EQ(disk_.content(file).size(), 20U);
  EXPECT_FALSE(disk_.write(file, 20, filled(10, 3)));
  EXPECT_FALSE(disk_.sync(file));
  EXPECT_EQ(disk_.content(file).size(), 20U);
}

TEST_F(CrashDiskTest, LiesAboutSomeSyncsWhenToldTo) {
  disk_.lie(1000, 1);
  const auto file = make("a");
  disk_.write(file, 0, filled(10, 1));
  EXPECT_TRUE(disk_.sync(file));
  EXPECT_TRUE(disk_.sync_directory());
  EXPECT_EQ(disk_.lies(), 2U);
  bool gone = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) gone = gone || disk_.after_power_cut(seed).names().empty();
  EXPECT_TRUE(gone);
}

TEST_F(CrashDiskTest, FailsToReadWhatIsBadUntilItIsHealed) {
  const auto file = make("a");
  disk_.fail_reads(file, 100, 200);
  EXPECT_TRUE(disk_.is_readable(file, 0, 100) && disk_.is_readable(file, 200, 300));
  EXPECT_FALSE(disk_.is_readable(file, 0, 101) || disk_.is_readable(file, 199, 300));
  disk_.heal_reads();
  EXPECT_TRUE(disk_.is_readable(file, 0, 300));
}

TEST_F(CrashDiskTest, NeverBringsToTheMediumWhatASyncFailedOver) {
  const auto file = make("a");
  disk_.sync_directory();
  disk_.write(file, 0, filled(10, 1));
  disk_.fail_sync_after(0);
  EXPECT_FALSE(disk_.sync(file));
  EXPECT_TRUE(disk_.sync(file));
  EXPECT_EQ(content_of(disk_, "a"), filled(10, 1));
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_TRUE(content_of(disk_.after_power_cut(seed), "a").empty());
}

}  // namespace
}  // namespace fieldpost
