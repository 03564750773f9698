// SPDX-License-Identifier: Apache-2.0
// The table of commands, their help, and the dispatch.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "agent/commands/command.hpp"
#include "agent/configuration/edit_distance.hpp"

namespace fieldpost {
namespace {

constexpr const Command* kCommands[] = {&kRunCommand,  &kCheckCommand,     &kSourcesCommand, &kStatusCommand,
                                        &kDumpCommand, &kProvisionCommand, &kFleetCommand, &kVersionCommand};

std::string padded(std::string_view text, std::size_t width) {
  std::string result{text};
  if (result.size() < width) result.append(width - result.size(), ' ');
  return result + " ";
}

std::string option_text(const CommandOption& option) {
  std::string text{option.name};
  if (!option.value.empty()) text += " " + std::string{option.value};
  return text;
}

const Command* find_command(std::string_view name) {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                   [&](const Command* command) { return command->name == name; });
  return found == std::end(kCommands) ? nullptr : *found;
}

/// The one that the first words name, which are taken away.
const Command* find_inner(const Command& command, std::span<const std::string_view>& words) {
  std::string name{command.name};
  for (std::size_t count = 1; count <= words.size() && count <= 2; ++count) {
    name += " " + std::string{words[count - 1]};
    for (const Command* inner : command.inner) {
      if (inner->name != name) continue;
      words = words.subspan(count);
      return inner;
    }
  }
  return nullptr;
}

ExitCode run_one(const Command& command, std::span<const std::string_view> words) {
  const auto arguments = Arguments::parse(words, command.options, command.words);
  if (!arguments) {
    complain(command.name, arguments.error().sentence() + "; see fieldpost " +
                                std::string{command.name} + " --help");
    return ExitCode::usage;
  }
  if (arguments->help_wanted()) {
    print(help_text(command));
    return ExitCode::ok;
  }
  const ExitCode code = command.run(*arguments);
  // Nobody reads any more (`| head`) is no failure; a full disk is.
  if ((std::fflush(stdout) == 0 && std::ferror(stdout) == 0) || errno == EPIPE) return code;
  complain(command.name, errno_error("the output could not be written", errno).sentence());
  return ExitCode::failed;
}

}  // namespace

std::span<const Command* const> command_table() { return kCommands; }

std::string help_text() {
  std::string text =
      "fieldpost reads sensors, encoders and counters of this machine, keeps the readings on disk until\n"
      "the broker has acknowledged them, and sends them over mutual-TLS MQTT.\n"
      "\n"
      "usage: fieldpost COMMAND [OPTION...]\n"
      "\n"
      "commands:\n";
  for (const Command* command : kCommands) {
    text += "  " + padded(command->name, 9) + std::string{command->summary} + "\n";
  }
  text +=
      "\n"
      "`fieldpost COMMAND --help` tells about one of them, with examples.\n"
      "\n"
      "a first look, without configuration:\n"
      "  fieldpost sources\n"
      "then write /etc/fieldpost/fieldpost.toml; this much is enough:\n"
      "  [broker]\n"
      "  url = \"mqtts://broker.example:8883\"\n"
      "  ca_file = \"ca.pem\"\n"
      "  certificate_file = \"device.pem\"\n"
      "  key_file = \"device.key\"\n"
      "and:\n"
      "  fieldpost check\n"
      "  fieldpost run\n"
      "\n"
      "exit codes: 0 done; 1 failed (standard error says why and what to do); 2 wrong command line\n";
  return text;
}

std::string help_text(const Command& command) {
  constexpr std::size_t kColumns = 100;
  std::string text = "usage: fieldpost " + std::string{command.name};
  std::size_t line = 0;  // where the present one begins
  if (!command.inner.empty()) text += " COMMAND";
  if (!command.words.empty()) text += " " + std::string{command.words};
  for (const CommandOption& option : command.options) {
    const std::string word = " [" + option_text(option) + "]";
    if (text.size() - line + word.size() > kColumns) {
      line = text.size() + 1;
      text += "\n      ";
    }
    text += word;
  }
  text += "\n\n" + std::string{command.help} + "\n";
  if (!command.inner.empty()) {
    text += "commands:\n";
    for (const Command* inner : command.inner) text += "  " + padded(inner->name, 18) + std::string{inner->summary} + "\n";
    text += "\n`fieldpost COMMAND --help` tells about one of them.\n\n";
  }
  if (!command.options.empty()) {
    std::size_t width = 18;
    for (const CommandOption& option : command.options) width = std::max(width, option_text(option).size());
    text += "options:\n";
    for (const CommandOption& option : command.options) {
      text += "  " + padded(option_text(option), width) + std::string{option.help};
      if (!option.choices.empty()) text += " (" + std::string{option.choices} + ")";
      text += "\n";
    }
    text += "\n";
  }
  return text + "examples:\n" + std::string{command.examples};
}

void complain(std::string_view command, std::string_view sentence) {
  const std::string line = "fieldpost " + std::string{command} + ": " + std::string{sentence} + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

ExitCode run_command_line(std::span<const std::string_view> words) {
  if (words.empty()) {
    const std::string text = help_text();
    std::fwrite(text.data(), 1, text.size(), stderr);
    return ExitCode::usage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    const Command* command = words.size() > 1 ? find_command(words[1]) : nullptr;
    print(command != nullptr ? help_text(*command) : help_text());
    return ExitCode::ok;
  }
  const std::string_view name = words[0] == "--version" ? std::string_view{"version"} : words[0];
  const Command* command = find_command(name);
  if (command == nullptr) {
    std::vector<std::string_view> names;
    for (const Command* each : kCommands) names.push_back(each->name);
    const std::string_view meant = nearest(name, names);
    std::string sentence = "fieldpost: unknown command \"" + std::string{name} + "\"; ";
    sentence += meant.empty() ? "`fieldpost --help` lists the commands\n"
                              : "did you mean \"" + std::string{meant} + "\"?\n";
    std::fwrite(sentence.data(), 1, sentence.size(), stderr);
    return ExitCode::usage;
  }
  words = words.subspan(1);
  if (command->inner.empty()) return run_one(*command, words);
  const Command* inner = find_inner(*command, words);
  if (inner != nullptr) return run_one(*inner, words);
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) {
    print(help_text(*command));
    return ExitCode::ok;
  }
  const std::string text = words.empty() ? help_text(*command) : "fieldpost " + std::string{name} + ": there is no such command below it; `fieldpost " +
                                                                   std::string{name} + " --help` lists them\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  return ExitCode::usage;
}

}  // namespace fieldpost
