// SPDX-License-Identifier: Apache-2.0
// Edit distance with three rows on the stack; the words are keys, so they are short.
#include "agent/configuration/edit_distance.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace fieldpost {
namespace {

constexpr std::size_t kWordBytesMax = 64;

std::string lower(std::string_view word) {
  std::string result{word};
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace

std::size_t edit_distance(std::string_view from, std::string_view to) {
  if (from == to) return 0;
  if (from.size() > kWordBytesMax || to.size() > kWordBytesMax) {
    return std::max(from.size(), to.size());
  }
  using Row = std::array<std::size_t, kWordBytesMax + 1>;
  Row two_above{};
  Row above{};
  Row row{};
  for (std::size_t column = 0; column <= to.size(); ++column) above[column] = column;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replace = above[j - 1] + (from[i - 1] == to[j - 1] ? 0U : 1U);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
    two_above = above;
    above = row;
  }
  return above[to.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string wanted = lower(word);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(wanted, lower(candidate));
    // A distance of the whole word means that nothing is left of it.
    if (distance < best_distance && distance < std::max(wanted.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace fieldpost
