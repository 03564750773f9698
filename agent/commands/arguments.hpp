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
  /// Takes "--config FILE" and "--config=FILE"; every option at most once.
  /// Errors: Malformed, with a sentence that says what would be right
  static Result<Arguments> parse(std::span<const std::string_view> words,
                                 std::span<const CommandOption> options);

  /// The value given, or `fallback`.
  std::string text(std::string_view option, std::string_view fallback) const;
  bool has(std::string_view option) const { return values_.contains(option); }
  /// "--help" or "-h" stood among the words; everything else is then unimportant.
  bool help_wanted() const noexcept { return help_wanted_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
  bool help_wanted_ = false;
};

}  // namespace fieldpost
