// SPDX-License-Identifier: Apache-2.0
// One child process with its standard streams, watched on the event loop. It runs in its own
// process group, and the group is killed with it: no grandchild is left behind.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/event_loop.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;                 ///< [0] is the program, looked up in PATH
    std::vector<std::string> environment{};             ///< "NAME=value" added to ours
    bool environment_is_small = false;                  ///< of ours only PATH, HOME and LANG
    std::function<void(std::string_view)> on_output{};  ///< bytes of standard output
    std::function<void(std::string_view)> on_error_output{};
    /// As waitpid(2) gives it; called once, after the last of the output.
    std::function<void(int status)> on_exit{};
  };
  // Callbacks run on the loop and may destroy the ChildProcess. Standard input is /dev/null.

  /// Errors: NotPresent (no such program), Denied, Io
  static Result<std::unique_ptr<ChildProcess>> start(EventLoop& loop, Options options);

  /// SIGKILL to the group if it still runs; reaps it. on_exit is not called any more.
  /// Blocks: until the kernel has ended it, which is at once unless it hangs in a driver
  virtual ~ChildProcess() = default;

  virtual int process_id() const = 0;
  /// To the whole group; nothing happens after the end.
  virtual void send_signal(int signal_number) = 0;
};

}  // namespace fieldpost
