// SPDX-License-Identifier: Apache-2.0
// Making, finding made, and a file in the way.
#include "agent/local/state_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(MakeDirectories, MakesWhatIsMissing) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a/b/c");
  ASSERT_TRUE(make_directories(path));
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  EXPECT_TRUE(make_directories(path));
  EXPECT_TRUE(make_directories(path + "/"));
  EXPECT_TRUE(make_directories("/"));
}

TEST(MakeDirectories, SaysWhenAFileIsInTheWay) {
  const TemporaryDirectory directory;
  directory.write("a", "x");
  EXPECT_FALSE(make_directories(directory.file("a")));
  EXPECT_FALSE(make_directories(directory.file("a/b")));
}

}  // namespace
}  // namespace fieldpost
