// SPDX-License-Identifier: Apache-2.0
// Whole or not at all. That fsync is called before rename is checked by the fault injection of the
// power-cut campaign, not here.
#include "platform/durable_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <string>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 07777U;
}

TEST(DurableFile, MakesAndReplaces) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("epoch");
  ASSERT_TRUE(replace_file_durably(path, "first"));
  EXPECT_EQ(read_file(path, 100).value(), "first");
  ASSERT_TRUE(replace_file_durably(path, ""));
  EXPECT_EQ(read_file(path, 100).value(), "");
  EXPECT_FALSE(directory.exists("epoch.new"));
}

TEST(DurableFile, GivesTheModeWhateverTheUmaskAndTheOldFile) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0777);
  EXPECT_TRUE(replace_file_durably(directory.file("key"), "secret", 0600));
  EXPECT_EQ(mode_of(directory.file("key")), 0600U);
  EXPECT_TRUE(replace_file_durably(directory.file("key"), "public", 0644));
  EXPECT_EQ(mode_of(directory.file("key")), 0644U);
  ::umask(before);
}

TEST(DurableFile, WorksBesideWhatAnInterruptedAttemptLeft) {
  const TemporaryDirectory directory;
  directory.write("epoch", "old");
  directory.write("epoch.new", "half of the n");
  ASSERT_TRUE(replace_file_durably(directory.file("epoch"), "new"));
  EXPECT_EQ(directory.read("epoch"), "new");
}

TEST(DurableFile, DoesNotWriteThroughALinkLeftInItsWay) {
  const TemporaryDirectory directory;
  directory.write("victim", "precious");
  ASSERT_EQ(::symlink("victim", directory.file("epoch.new").c_str()), 0);
  ASSERT_TRUE(replace_file_durably(directory.file("epoch"), "new"));
  EXPECT_EQ(directory.read("victim"), "precious");
  EXPECT_EQ(directory.read("epoch"), "new");
}

TEST(DurableFile, KeepsTheOldFileWhenTheNewOneDoesNotFit) {
  const TemporaryDirectory directory;
  directory.write("epoch", "old");
  // The nearest thing to a full disk that needs no root: a bound on the size of files.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto written = replace_file_durably(directory.file("epoch"), std::string(10'000, 'n'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  ASSERT_FALSE(written);
  EXPECT_EQ(directory.read("epoch"), "old");
  EXPECT_FALSE(directory.exists("epoch.new"));
}

TEST(DurableFile, KeepsTheOldFileWhenItCannotBeReplaced) {
  const TemporaryDirectory directory;
  directory.write("epoch/file", "a directory stands there");
  EXPECT_FALSE(replace_file_durably(directory.file("epoch"), "new"));
  EXPECT_FALSE(directory.exists("epoch.new"));
  EXPECT_EQ(directory.read("epoch/file"), "a directory stands there");
}

TEST(DurableFile, NeedsItsDirectory) {
  const TemporaryDirectory directory;
  EXPECT_EQ(replace_file_durably(directory.file("absent/epoch"), "x").error().kind(), ErrorKind::NotPresent);
}

TEST(DurableFile, ReadsUpToItsBound) {
  const TemporaryDirectory directory;
  directory.write("f", std::string(5000, 'x'));
  EXPECT_EQ(read_file(directory.file("f"), 5000).value().size(), 5000U);
  EXPECT_EQ(read_file(directory.file("f"), 4999).error().kind(), ErrorKind::OutOfRange);
  directory.write("empty", "");
  EXPECT_EQ(read_file(directory.file("empty"), 0).value(), "");
  EXPECT_EQ(read_file(directory.file("f"), 0).error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(read_file(directory.file("absent"), 10).error().kind(), ErrorKind::NotPresent);
}

TEST(DurableFile, RemovesAndIsContentWithNothingToRemove) {
  const TemporaryDirectory directory;
  directory.write("f", "x");
  EXPECT_TRUE(remove_file_durably(directory.file("f")));
  EXPECT_FALSE(directory.exists("f"));
  EXPECT_TRUE(remove_file_durably(directory.file("f")));
}

}  // namespace
}  // namespace fieldpost
