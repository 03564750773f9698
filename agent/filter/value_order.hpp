// SPDX-License-Identifier: Apache-2.0
// Order and distance of two values, exact where both are integers: two byte counters beyond 2^53
// that differ by one are not equal, though as doubles they would be.
#pragma once

#include <cmath>
#include <cstdint>

#include "hal/sample.hpp"

namespace fieldpost {

inline bool is_finite(const Value& value) noexcept {
  return value.is_integer() || std::isfinite(value.real());
}

/// Both finite.
inline bool is_less(const Value& left, const Value& right) noexcept {
  if (left.is_integer() && right.is_integer()) return left.integer() < right.integer();
  return left.real() < right.real();
}

/// True if `left` and `right` differ by more than `band` (>= 0). All finite.
inline bool differ_by_more_than(const Value& left, const Value& right, double band) noexcept {
  if (left.is_integer() && right.is_integer()) {
    const bool ordered = left.integer() <= right.integer();
    const auto low = static_cast<std::uint64_t>(ordered ? left.integer() : right.integer());
    const auto high = static_cast<std::uint64_t>(ordered ? right.integer() : left.integer());
    // For a whole difference, "more than the band" is "more than the band rounded down".
    return band < 0x1p64 && high - low > static_cast<std::uint64_t>(band);
  }
  return std::fabs(left.real() - right.real()) > band;
}

}  // namespace fieldpost
