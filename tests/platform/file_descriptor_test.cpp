// SPDX-License-Identifier: Apache-2.0
// Ownership of descriptors.
#include "platform/file_descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace fieldpost {
namespace {

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

FileDescriptor open_null() { return FileDescriptor{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

TEST(FileDescriptor, ClosesWhatItOwns) {
  int number = -1;
  {
    const FileDescriptor file = open_null();
    number = file.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(FileDescriptor, MovedFromOwnsNothing) {
  FileDescriptor first = open_null();
  const int number = first.get();
  const FileDescriptor second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(FileDescriptor, AssignmentClosesTheOldOne) {
  FileDescriptor file = open_null();
  FileDescriptor other = open_null();
  const int old_number = file.get();
  file = std::move(other);
  EXPECT_FALSE(is_open(old_number));
  EXPECT_TRUE(is_open(file.get()));
}

TEST(FileDescriptor, ReleaseGivesOwnershipAway) {
  FileDescriptor file = open_null();
  const int number = file.release();
  EXPECT_FALSE(file);
  EXPECT_TRUE(is_open(number));
  ::close(number);
}

TEST(FileDescriptor, ClosingTwiceIsHarmless) {
  FileDescriptor file = open_null();
  file.close();
  const FileDescriptor next = open_null();  // takes the freed number
  file.close();
  EXPECT_TRUE(is_open(next.get()));
}

}  // namespace
}  // namespace fieldpost
