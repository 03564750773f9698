// SPDX-License-Identifier: Apache-2.0
// The words after `fieldpost COMMAND`, checked against what the command declares. The same declaration
// makes the help text, so that the two cannot differ.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/result.hpp"

namespace fieldpost {

struct CommandOption {
  std::string_view name;   ///< "--config"
  std::string_view value;  ///< "FILE"; "" for a switch
  std::string_view help;   ///< one line
  std::string_view choices = {};  ///< "text|json"; "" for anything
};

class Arguments {
 public:
  /// Takes "--config FILE" and "--config=FILE"; every option at most once. `form`: the words that are no options,
  /// "NAME DEVICE..." (one or more of the last).
  /// Errors: Malformed, with a sentence that says what would be right
  static Result<Arguments> parse(std::span<const std::string_view> words,
                                 std::span<const CommandOption> options, std::string_view form = {});

  /// The value given, or `fallback`.
  std::string text(std::string_view option, std::string_view fallback) const;
  const std::vector<std::string>& words() const noexcept { return words_; }
  bool has(std::string_view option) const { return values_.contains(option); }
  /// "--help" or "-h" stood among the words; everything else is then unimportant.
  bool help_wanted() const noexcept { return help_wanted_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> words_;
  bool help_wanted_ = false;
};

}  // namespace fieldpost
