// SPDX-License-Identifier: Apache-2.0
// Every captured tree is surveyed with all drivers and compared, line by line, with the exposition
// kept beside it (tests/captured/NAME.prom).
//
//     golden_test -u      writes those files anew; look at the difference before you commit it
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "hal/exposition.hpp"
#include "hal/survey.hpp"

namespace fieldpost {
namespace {

bool update_wanted = false;

const std::filesystem::path kCaptured = std::filesystem::path{FIELDPOST_TESTS_DIRECTORY} / "captured";

std::string survey_text(const std::filesystem::path& root) {
  const FileTree tree{root.string()};
  const Survey found = survey(tree, driver_table(), BootTime{});
  return to_prometheus_text(*found.series, found.samples());
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, ReadsTheCapturedTreeAsBefore) {
  const std::string text = survey_text(kCaptured / GetParam());
  const std::filesystem::path golden = kCaptured / (GetParam() + ".prom");
  if (update_wanted) {
    std::ofstream{golden} << text;
    return;
  }
  std::ifstream file{golden};
  ASSERT_TRUE(file) << golden << " is missing: golden_test -u makes it";
  std::istringstream read{text};
  std::string expected;
  std::string actual;
  for (int line = 1; std::getline(file, expected); ++line) {
    ASSERT_TRUE(std::getline(read, actual)) << golden << ":" << line << ": the survey ends before " << expected;
    ASSERT_EQ(actual, expected) << golden << ":" << line;
  }
  EXPECT_FALSE(std::getline(read, actual)) << golden << " ends before " << actual;
}

INSTANTIATE_TEST_SUITE_P(CapturedTrees, Golden, ::testing::Values("raspberry-pi-4", "vm"),
                         [](const auto& named) {
                           std::string name = named.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace fieldpost

int main(int argument_count, char** arguments) {
  ::testing::InitGoogleTest(&argument_count, arguments);
  for (int i = 1; i < argument_count; ++i) {
    if (std::string_view{arguments[i]} == "-u") fieldpost::update_wanted = true;
  }
  return RUN_ALL_TESTS();
}
