// SPDX-License-Identifier: Apache-2.0
// The one binary: finds the sub-command and runs it (agent/commands).
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <new>
#include <string_view>
#include <vector>

#include "agent/commands/command.hpp"

namespace {
constexpr int kLargeBlockBytes = 64 << 10;

/// Without memory there is no going on and no cleaning up: one line without an allocation, and a new start
/// finds on the disk what is durable.
[[noreturn]] void end_with(std::string_view line) {
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
  ::_exit(static_cast<int>(fieldpost::ExitCode::exhausted));
}
}  // namespace

int main(int argument_count, char** arguments) {
  // One heap for all threads: each would otherwise keep one of its own, 0.6 MiB together; and what a flush
  // needs for a moment goes back to the system.
  // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlockBytes);
  ::mallopt(M_TRIM_THRESHOLD, kLargeBlockBytes);
  // NOLINTEND(concurrency-mt-unsafe)
  std::set_new_handler(
      [] { end_with("fieldpost: no memory is left: ended; start it again, what is durable is kept\n"); });
  // A peer that closes must show as an error of the write, not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string_view> words{arguments + (argument_count > 0 ? 1 : 0),
                                            arguments + argument_count};
  return static_cast<int>(fieldpost::run_command_line(words));
}
