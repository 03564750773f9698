// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/program.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace fieldpost {
namespace {

struct Given {
  std::uint64_t count = 7;
  std::string only;
  bool is_lying = false;
};

bool read(std::vector<std::string> words, Given& given) {
  words.insert(words.begin(), "trial");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  return read_options(static_cast<int>(arguments.size()), arguments.data(), "trial",
                      {number_option("--count", given.count), text_option("--only", given.only),
                       choice_option("--lying", given.is_lying, {{"0", false}, {"1", true}})});
}

TEST(CampaignProgram, TakesWhatItsOptionsName) {
  Given given;
  EXPECT_TRUE(read({"--count", "20", "--lying", "1", "--only", "cut:marks"}, given));
  EXPECT_EQ(given.count, 20U);
  EXPECT_EQ(given.only, "cut:marks");
  EXPECT_TRUE(given.is_lying);
  EXPECT_TRUE(read({}, given));
}

TEST(CampaignProgram, RefusesWhatItDoesNotKnowWithALineOfUsage) {
  const std::vector<std::vector<std::string>> refused{
      {"--count"},      {"--count", "ten"},  {"--count", "1x"},          {"--count", ""}, {"--count", "-1"},
      {"--lying", "2"}, {"--mistyped", "1"}, {"--count", "1", "--only"}, {"help"}};
  for (const auto& words : refused) {
    Given given;
    testing::internal::CaptureStderr();
    EXPECT_FALSE(read(words, given)) << words.front();
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "usage: trial [--count N] [--only TEXT] [--lying 0|1]\n");
  }
}

TEST(CampaignProgram, TellsAViolationAtOnce) {
  EXPECT_EXIT(
      {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        const Told told = print_as_told(60);
        told.violation("one was lost");
        ::_exit(3);
      },
      testing::ExitedWithCode(3), "violation: one was lost\n");
}

TEST(CampaignProgram, TellsTheTrialThatASignalEnded) {
  EXPECT_EXIT(
      {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        const Told told = print_as_told(60);
        told.trial("cut:marks:3", 0, 1);
        ::raise(SIGSEGV);
      },
      testing::ExitedWithCode(128 + SIGSEGV), "violation: ended by a signal in cut:marks:3\n");
}

TEST(CampaignProgram, EndsWithOneLineOfFigures) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(print_figures({{"trials", 3}, {"lost", 0}}, 0), 0);
  EXPECT_EQ(print_figures({{"trials", 3}}, 2), 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "trials=3 lost=0 violations=0\ntrials=3 violations=2\n");
}

}  // namespace
}  // namespace fieldpost
