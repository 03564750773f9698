// SPDX-License-Identifier: Apache-2.0
// Every command teaches: summary, options with help, exit codes, examples that use it.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "agent/commands/command.hpp"

namespace fieldpost {
namespace {

std::vector<const Command*> with_inner() {
  std::vector<const Command*> all;
  for (const Command* command : command_table()) {
    all.push_back(command);
    all.insert(all.end(), command->inner.begin(), command->inner.end());
  }
  return all;
}

TEST(CommandTable, TeachesEveryCommand) {
  std::set<std::string_view> names;
  const std::string overview = help_text();
  for (const Command* command : with_inner()) {
    EXPECT_TRUE(names.insert(command->name).second) << command->name;
    const bool is_inner = command->name.find(' ') != std::string_view::npos;
    EXPECT_NE((is_inner ? help_text(kFleetCommand) : overview).find("  " + std::string{command->name} + " "), std::string::npos);
    const std::string help = help_text(*command);
    EXPECT_TRUE(help.starts_with("usage: fieldpost " + std::string{command->name})) << help;
    EXPECT_NE(help.find("exit codes: 0 "), std::string::npos) << command->name;
    EXPECT_NE(command->examples.find("  fieldpost " + std::string{command->name}), std::string::npos);
    for (const CommandOption& option : command->options) {
      EXPECT_TRUE(option.name.starts_with("--")) << option.name;
      EXPECT_FALSE(option.help.empty()) << option.name;
      EXPECT_NE(help.find(option.name), std::string::npos) << option.name;
    }
  }
}

TEST(CommandTable, KeepsHelpWithinAScreensWidth) {
  std::vector<std::string> texts{help_text()};
  for (const Command* command : with_inner()) texts.push_back(help_text(*command));
  for (const std::string& text : texts) {
    std::size_t start = 0;
    while (start < text.size()) {
      const std::size_t end = text.find('\n', start);
      EXPECT_LE(end - start, 105U) << text.substr(start, end - start);
      start = end + 1;
    }
  }
}

ExitCode run(std::vector<std::string_view> words) { return run_command_line(words); }

TEST(CommandTable, EndsWithTwoWhenTheCommandLineIsWrong) {
  EXPECT_EQ(run({}), ExitCode::usage);
  EXPECT_EQ(run({"chekc"}), ExitCode::usage);
  EXPECT_EQ(run({"check", "--nonsense"}), ExitCode::usage);
  EXPECT_EQ(run({"help", "check"}), ExitCode::ok);
  EXPECT_EQ(run({"check", "--help"}), ExitCode::ok);
  EXPECT_EQ(run({"fleet"}), ExitCode::usage);
  EXPECT_EQ(run({"fleet", "job"}), ExitCode::usage);
  EXPECT_EQ(run({"fleet", "job", "dance"}), ExitCode::usage);
  EXPECT_EQ(run({"fleet", "job", "show"}), ExitCode::usage);
  EXPECT_EQ(run({"fleet", "job", "create", "x.json"}), ExitCode::usage);
  EXPECT_EQ(run({"fleet", "job", "create", "x.json", "--all", "--rate", "1.5"}), ExitCode::failed) << "there is no such file";
  EXPECT_EQ(run({"fleet", "--help"}), ExitCode::ok);
  EXPECT_EQ(run({"fleet", "job", "create", "--help"}), ExitCode::ok);
}

}  // namespace
}  // namespace fieldpost
