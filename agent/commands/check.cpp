// SPDX-License-Identifier: Apache-2.0
// `fieldpost check`: is the configuration right? Everything that `run` would refuse is refused here,
// certificates and keys included, without starting anything.
#include <memory>

#include "agent/commands/command.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "configuration to check; default /etc/fieldpost/fieldpost.toml"},
    {"--explain", "", "print every section and key with type, default and meaning instead"},
};

/// Reads certificates and keys as `run` does, so that one that does not parse or match is found.
Result<void> check_link(const LinkOptions& options) {
  const SystemClock clock;
  Log silent{clock, LogLevel::error, [](LogLevel, std::string_view) {}};
  const auto loop = make_event_loop(clock);
  TRY(Link::make(*loop, silent, options));
  return {};
}

ExitCode run_check(const Arguments& arguments) {
  if (arguments.has("--explain")) {
    print(explain_configuration(driver_table()));
    return ExitCode::ok;
  }
  const std::string path = arguments.text("--config", kDefaultConfigurationPath);
  const ConfigurationResult loaded = load_configuration(path, driver_table());
  for (const Problem& problem : loaded.problems) print(to_text(problem) + "\n");
  if (!loaded.ok()) {
    complain("check", std::to_string(loaded.errors) + (loaded.errors == 1 ? " problem" : " problems") +
                          " in " + path);
    return ExitCode::failed;
  }
  if (loaded.configuration.has_broker) {
    if (const auto link = check_link(loaded.configuration.link); !link) {
      print(path + ": [broker] " + link.error().sentence() + "\n");
      complain("check", "1 problem in " + path);
      return ExitCode::failed;
    }
  }
  print(path + ": right; device " + loaded.configuration.device_name + ", " +
        std::to_string(loaded.configuration.sources.size()) + " sources, " +
        std::to_string(loaded.configuration.rules.size()) + " rules, " +
        (loaded.configuration.has_broker ? "broker " + loaded.configuration.link.url
                                         : std::string{"no broker"}) +
        "\n");
  return ExitCode::ok;
}

}  // namespace

constexpr Command kCheckCommand{
    "check", "say whether the configuration is right, and what to change where it is not",
    "Reads the configuration with every file that it names and reports all problems, one a line:\n"
    "  FILE:LINE: what is wrong; did you mean ...?\n"
    "Nothing is started and nobody is contacted. Warnings do not count as problems.\n"
    "\n"
    "exit codes: 0 right; 1 wrong; 2 wrong command line\n",
    kOptions,
    "  fieldpost check\n"
    "  fieldpost check --config packaging/examples/gateway.toml\n"
    "  fieldpost check --explain | less\n",
    &run_check};

}  // namespace fieldpost
