// SPDX-License-Identifier: Apache-2.0
#include "agent/store/reserve_file.hpp"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(ReserveFile, HoldsRealBlocksUntilTheyAreGivenBack) {
  const TemporaryDirectory directory;
  const ReserveFile reserve{directory.file("reserve"), 64 << 10};
  ASSERT_TRUE(reserve.take());
  struct stat found {};
  ASSERT_EQ(::stat(directory.file("reserve").c_str(), &found), 0);
  EXPECT_GE(found.st_blocks * 512, 64 << 10);
  EXPECT_TRUE(reserve.take());
  EXPECT_TRUE(reserve.release());
  EXPECT_FALSE(directory.exists("reserve"));
  EXPECT_FALSE(reserve.release());
}

TEST(ReserveFile, LeavesTheLastBytesOfADiskToOthers) {
  const TemporaryDirectory directory;
  const ReserveFile reserve{directory.file("reserve"), std::int64_t{1} << 60};
  EXPECT_FALSE(reserve.take());
  EXPECT_FALSE(directory.exists("reserve"));
}

TEST(ReserveFile, BearsWithAMissingDirectory) {
  const ReserveFile reserve{"/nonexistent/fieldpost/reserve", 4096};
  EXPECT_FALSE(reserve.take());
  EXPECT_FALSE(reserve.release());
}

}  // namespace
}  // namespace fieldpost
