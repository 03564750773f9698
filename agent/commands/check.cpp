// SPDX-License-Identifier: Apache-2.0
// `fieldpost check`: is the configuration right? Everything that `run` would refuse is refused here,
// certificates and keys included, without starting anything.
#include "agent/commands/checked_configuration.hpp"
#include "agent/commands/command.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "configuration to check; default /etc/fieldpost/fieldpost.toml"},
    {"--explain", "", "print every section and key with type, default and meaning instead"},
};

std::string plural(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

ExitCode run_check(const Arguments& arguments) {
  if (arguments.has("--explain")) {
    print(explain_configuration(driver_table()));
    return ExitCode::ok;
  }
  const std::string path = arguments.text("--config", kDefaultConfigurationPath);
  const ConfigurationResult loaded = check_configuration(path);
  // With one file only, every line below names it.
  if (loaded.files.size() > 1) {
    for (const std::string& file : loaded.files) print("read " + file + "\n");
  }
  for (const Problem& problem : loaded.problems) print(to_text(problem) + "\n");
  if (!loaded.ok()) {
    complain("check", plural(loaded.errors, "problem") + " in " + path +
                          (loaded.files.size() > 1 ? " and what is laid over it" : ""));
    return ExitCode::failed;
  }
  print(path + ": right; device " + loaded.configuration.device_name + ", " +
        plural(loaded.configuration.sources.size(), "source") + ", " +
        plural(loaded.configuration.rules.size(), "rule") + ", " +
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
    "Over FILE are laid, key by key: conf.d/*.toml beside it in the order of their names, then the\n"
    "environment, where FIELDPOST_BROKER_URL is url in [broker]; [[series]] and [[rule]] add up.\n"
    "Nothing is started and nobody is contacted. Warnings do not count as problems.\n"
    "\n"
    "exit codes: 0 right; 1 wrong; 2 wrong command line\n",
    kOptions,
    "  fieldpost check\n"
    "  fieldpost check --config ./fieldpost.toml\n"
    "  fieldpost check --explain | less\n",
    &run_check};

}  // namespace fieldpost
