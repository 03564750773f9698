// SPDX-License-Identifier: Apache-2.0
// `fieldpost status`: how the running agent is.
#include "agent/commands/command.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/local/control_socket.hpp"
#include "agent/local/status_document.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "the agent's configuration, for its [control] socket"},
    {"--socket", "PATH", "the agent's control socket, instead of looking into the configuration"},
    {"--format", "FORMAT", "a page for people, or one JSON document", "text|json"},
};

constexpr milliseconds kAnswerTime{5'000};

/// The socket asked for; else the configuration's, and its default where there is none or where it
/// cannot be read: whoever asks for the status need not be able to read the keys that it names.
std::string socket_path(const Arguments& arguments) {
  if (arguments.has("--socket")) return arguments.text("--socket", "");
  const std::string path = arguments.text("--config", kDefaultConfigurationPath);
  return load_configuration(path, driver_table()).configuration.control_socket;
}

ExitCode run_status(const Arguments& arguments) {
  std::string path = socket_path(arguments);
  if (path.empty()) path = "/run/fieldpost/control.sock";
  const auto answer = ask_control_socket(path, "status", kAnswerTime);
  if (!answer) {
    const bool absent = answer.error().kind() == ErrorKind::NotPresent;
    complain("status", absent ? "no agent listens at " + path +
                                    "; is it running (`fieldpost run`), with this configuration?"
                              : path + ": " + answer.error().sentence());
    return ExitCode::failed;
  }
  if (arguments.text("--format", "text") == "json") {
    print(*answer + "\n");
    return ExitCode::ok;
  }
  const auto page = status_page(*answer);
  if (!page) {
    complain("status", page.error().sentence());
    return ExitCode::failed;
  }
  print(*page);
  return ExitCode::ok;
}

}  // namespace

constexpr Command kStatusCommand{
    "status", "show how the running agent is: link, outbox, sources, what was dropped",
    "Asks the running agent over its control socket. The page shows device and uptime, the link with its\n"
    "peer, TLS and last error, what waits in each lane of the outbox, every source with its last read,\n"
    "failures and cost, and what went no further and why.\n"
    "\n"
    "exit codes: 0 the agent answered; 1 it did not; 2 wrong command line\n",
    kOptions,
    "  fieldpost status\n"
    "  fieldpost status --format json | jq .link.state\n"
    "  watch -n 2 fieldpost status\n",
    &run_status};

}  // namespace fieldpost
