// SPDX-License-Identifier: Apache-2.0
// One sub-command: its words, its help and its function. Each lives in a file of its name; the table of
// all of them is in command_table.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/commands/arguments.hpp"

namespace fieldpost {

/// What a command's process ends with.
enum class ExitCode : int {
  ok = 0,
  failed = 1,  ///< wrong configuration, no agent there, a file that cannot be read: stderr says which
  usage = 2,   ///< the command line itself was wrong
  exhausted = 3,  ///< no memory, or no descriptors or threads to begin with (main.cpp, toolchains/terminate.cpp)
};

struct Command {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::string_view help;     ///< what it does, its exit codes, in a few lines
  std::span<const CommandOption> options;
  std::string_view examples;  ///< lines indented by two
  ExitCode (*run)(const Arguments& arguments);  ///< null for one that only has others below it
  std::string_view words = {};  ///< that are no options: "NAME DEVICE..."
  std::span<const Command* const> inner = {};  ///< "fleet job create", under their whole names
};

extern const Command kRunCommand;
extern const Command kCheckCommand;
extern const Command kSourcesCommand;
extern const Command kStatusCommand;
extern const Command kDumpCommand;
extern const Command kProvisionCommand;
extern const Command kFleetCommand;
extern const Command kVersionCommand;

std::span<const Command* const> command_table();

/// The whole of `fieldpost`: finds the command and runs it. `words` are main's, without the program.
ExitCode run_command_line(std::span<const std::string_view> words);

/// What `fieldpost --help` prints.
std::string help_text();
/// What `fieldpost COMMAND --help` prints.
std::string help_text(const Command& command);

/// "fieldpost COMMAND: sentence" on standard error.
void complain(std::string_view command, std::string_view sentence);
/// To standard output. A reader that has gone away (`fieldpost sources | head`) is no failure.
void print(std::string_view text);

}  // namespace fieldpost
