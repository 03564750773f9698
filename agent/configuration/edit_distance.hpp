// SPDX-License-Identifier: Apache-2.0
// "Did you mean ...?": the nearest of the words that would have been right.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fieldpost {

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
/// Words longer than 64 bytes count as entirely different.
std::size_t edit_distance(std::string_view from, std::string_view to);

/// The candidate nearest to `word`, or "" if none is near enough to be what was meant (a third of the
/// word's length, at least one edit). Case does not count. The first of equals wins.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace fieldpost
