// SPDX-License-Identifier: Apache-2.0
// Long options only, with or without "=": few enough to be remembered, and read aloud in a script.
#include "agent/commands/arguments.hpp"

#include <algorithm>

#include "agent/configuration/edit_distance.hpp"

namespace fieldpost {
namespace {

bool is_among(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

Error unknown(std::string_view word, std::span<const CommandOption> options) {
  std::string sentence = word.starts_with("-") ? "unknown option " : "unexpected word ";
  sentence += "\"" + std::string{word} + "\"";
  std::vector<std::string_view> names;
  for (const CommandOption& option : options) names.push_back(option.name);
  const std::string_view meant = nearest(word, names);
  if (!meant.empty()) sentence += "; did you mean " + std::string{meant} + "?";
  return Error{ErrorKind::Malformed, std::move(sentence)};
}

}  // namespace

Result<Arguments> Arguments::parse(std::span<const std::string_view> words,
                                   std::span<const CommandOption> options, std::string_view form) {
  Arguments result;
  const auto words_wanted = static_cast<std::size_t>(std::count(form.begin(), form.end(), ' ')) + (form.empty() ? 0U : 1U);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--help" || words[i] == "-h") {
      result.help_wanted_ = true;
      return result;
    }
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t equals = words[i].starts_with("--") ? words[i].find('=') : std::string_view::npos;
    const std::string_view name = words[i].substr(0, equals);
    const auto option = std::find_if(options.begin(), options.end(),
                                     [&](const CommandOption& each) { return each.name == name; });
    if (option == options.end() && !words[i].starts_with("--") && (result.words_.size() < words_wanted || form.ends_with("..."))) {
      result.words_.emplace_back(words[i]);
      continue;
    }
    if (option == options.end()) return unknown(name, options);
    std::string value;
    if (equals != std::string_view::npos) {
      if (option->value.empty()) {
        return Error{ErrorKind::Malformed, std::string{name} + " takes no value"};
      }
      value = words[i].substr(equals + 1);
    } else if (!option->value.empty()) {
      if (i + 1 == words.size()) {
        return Error{ErrorKind::Malformed,
                     std::string{name} + " needs a value: " + std::string{name} + " " +
                         std::string{option->choices.empty() ? option->value : option->choices}};
      }
      value = words[++i];
    }
    if (!option->choices.empty() && !is_among(option->choices, value)) {
      return Error{ErrorKind::Malformed, std::string{name} + " is \"" + value + "\"; it must be one of " +
                                             std::string{option->choices}};
    }
    if (!result.values_.emplace(std::string{name}, std::move(value)).second) {
      return Error{ErrorKind::Malformed, std::string{name} + " is given twice"};
    }
  }
  if (result.words_.size() < words_wanted) return Error{ErrorKind::Malformed, "these words are needed: " + std::string{form}};
  return result;
}

std::string Arguments::text(std::string_view option, std::string_view fallback) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::string{fallback} : found->second;
}

}  // namespace fieldpost
