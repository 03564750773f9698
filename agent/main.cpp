// SPDX-License-Identifier: Apache-2.0
// The one binary: finds the sub-command and runs it (agent/commands).
#include <csignal>
#include <string_view>
#include <vector>

#include "agent/commands/command.hpp"

int main(int argument_count, char** arguments) {
  // A peer that closes must show as an error of the write, not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string_view> words{arguments + (argument_count > 0 ? 1 : 0),
                                            arguments + argument_count};
  return static_cast<int>(fieldpost::run_command_line(words));
}
