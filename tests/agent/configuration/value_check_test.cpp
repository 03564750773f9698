// SPDX-License-Identifier: Apache-2.0
// Files: absent, not a file, readable by others.
#include "agent/configuration/value_check.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

TEST(FaultOfFile, AcceptsAFileThatIsThere) {
  const TemporaryDirectory directory;
  directory.write("ca.pem", "x");
  EXPECT_EQ(fault_of_file(directory.file("ca.pem"), false), std::nullopt);
}

TEST(FaultOfFile, NamesAFileThatIsNot) {
  EXPECT_EQ(fault_of_file("/nowhere/ca.pem", false), "names /nowhere/ca.pem, which does not exist");
  EXPECT_EQ(fault_of_file("/dev/null", false), "names /dev/null, which is not a file");
}

TEST(FaultOfFile, RefusesASecretThatOthersCanRead) {
  const TemporaryDirectory directory;
  directory.write("device.key", "x");
  const std::string key = directory.file("device.key");
  ASSERT_EQ(::chmod(key.c_str(), 0644), 0);
  EXPECT_EQ(fault_of_file(key, true),
            "names " + key + ", which others can read (mode 0644); chmod 600 it");
  ASSERT_EQ(::chmod(key.c_str(), 0602), 0);
  EXPECT_NE(fault_of_file(key, true), std::nullopt);
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  EXPECT_EQ(fault_of_file(key, true), std::nullopt);
}

}  // namespace
}  // namespace fieldpost
