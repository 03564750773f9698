// SPDX-License-Identifier: Apache-2.0
// Globs over names and label values. Two positions to fall back to instead of recursion: the cost
// is at most pattern times text, so that no pattern can hold up the loop.
#include "platform/glob.hpp"

namespace fieldpost {

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  std::size_t at_pattern = 0;
  std::size_t at_text = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (at_text < text.size()) {
    if (at_pattern < pattern.size() && pattern[at_pattern] == '*') {
      star = at_pattern++;
      star_text = at_text;
    } else if (at_pattern < pattern.size() &&
               (pattern[at_pattern] == '?' || pattern[at_pattern] == text[at_text])) {
      ++at_pattern;
      ++at_text;
    } else if (star != std::string_view::npos) {
      // The last star takes one byte more.
      at_pattern = star + 1;
      at_text = ++star_text;
    } else {
      return false;
    }
  }
  while (at_pattern < pattern.size() && pattern[at_pattern] == '*') ++at_pattern;
  return at_pattern == pattern.size();
}

}  // namespace fieldpost
