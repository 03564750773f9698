// SPDX-License-Identifier: Apache-2.0
// What the programs of campaigns share, and what a campaign says while it is at work: options, violations as
// they are found, progress, the trial that crashed or hung, and the line of figures. processes.py reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldpost {

/// Who is told what happens in a campaign; a test, which has the figures after it, leaves it out.
struct Told {
  std::function<void(const std::string& what)> violation = [](const std::string&) {};
  /// Before each trial: its name, and how many are done of how many.
  std::function<void(const std::string& name, std::uint64_t done, std::uint64_t total)> trial =
      [](const std::string&, std::uint64_t, std::uint64_t) {};
};

/// One `--name VALUE` of a program.
struct CampaignOption {
  std::string_view name;
  std::string values;  ///< for the line of usage
  std::function<bool(std::string_view value)> take;
};

CampaignOption number_option(std::string_view name, std::uint64_t& target);
CampaignOption text_option(std::string_view name, std::string& target);

template <typename T>
CampaignOption choice_option(std::string_view name, T& target,
                             std::vector<std::pair<std::string_view, T>> choices) {
  std::string values;
  for (const auto& [word, _] : choices) values += (values.empty() ? "" : "|") + std::string{word};
  return {name, values, [&target, choices = std::move(choices)](std::string_view value) {
            for (const auto& [word, meaning] : choices) {
              if (word != value) continue;
              target = meaning;
              return true;
            }
            return false;
          }};
}

/// Sets what the options given name. Anything else (an unknown name, a value that is none, a name without
/// one) is answered with a line of usage, and false: the program ends with 2 and does nothing.
bool read_options(int count, char** arguments, std::string_view program,
                  const std::vector<CampaignOption>& options);

/// Prints what a campaign tells, at once. From here on a signal that ends the program is told as a violation
/// of the trial under way, and so is a trial that takes `seconds_max`. Once in a program.
Told print_as_told(unsigned seconds_max);

/// The last line; what it gives is for main() to give.
int print_figures(std::initializer_list<std::pair<std::string_view, std::uint64_t>> figures,
                  std::size_t violations);

}  // namespace fieldpost
