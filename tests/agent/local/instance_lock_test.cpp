// SPDX-License-Identifier: Apache-2.0
// The second one is kept out, the next one after it is let in.
#include "agent/local/instance_lock.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(InstanceLock, KeepsASecondOneOutAndNamesTheFirst) {
  const TemporaryDirectory directory;
  std::optional first = InstanceLock::take(directory.path());
  ASSERT_TRUE(*first) << first->error().sentence();
  const auto second = InstanceLock::take(directory.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(second.error().sentence(),
            "another fieldpost (process " + std::to_string(::getpid()) + ") uses " + directory.path() +
                "; stop it, or give this one its own [device] state_directory");
  first.reset();
  EXPECT_TRUE(InstanceLock::take(directory.path()));
}

TEST(InstanceLock, IsNotInTheWayWhenItsHolderDied) {
  const TemporaryDirectory directory;
  directory.write("fieldpost.lock", "12345\n");
  EXPECT_TRUE(InstanceLock::take(directory.path()));
}

TEST(InstanceLock, SaysWhenTheDiskGivesNone) {
  const auto absent = InstanceLock::take("/nowhere");
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().kind(), ErrorKind::Unavailable);
}

}  // namespace
}  // namespace fieldpost
