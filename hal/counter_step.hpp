// SPDX-License-Identifier: Apache-2.0
// What a counter added between two readings of it. Three stages need the same answer (rate in the
// filter, increase in the window, rate in a rule), and a dashboard adds their numbers up, so there
// is one place that decides what is a wrap and what is a fresh start.
#pragma once

#include <cstdint>

#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

struct CounterStep {
  enum class Kind : std::uint8_t {
    grew,     ///< or stayed
    wrapped,  ///< passed Series::wraps_at once
    reset,    ///< started anew: the whole present value was added since
  };
  Kind kind = Kind::grew;
  /// Of the value's own type: exact for integers. An integer is to be read as unsigned.
  Value added;

  /// `added` as a double, an integer read as unsigned.
  double amount() const noexcept {
    return added.is_integer() ? static_cast<double>(static_cast<std::uint64_t>(added.integer()))
                              : added.real();
  }
};

/// From `before` to `now`; both finite.
///
/// A smaller value means a wrap or a reset, and nothing in the numbers says which. It is taken for
/// a wrap if the series wraps and the step over the border is at most half the range: a 32-bit
/// counter that moves further than that between two readings is read too seldom to be followed
/// anyway. Everything else is a reset, as in Prometheus' increase(). Integers are compared as
/// unsigned, since counters above 2^63 come as their two's complement (hal/sample.hpp).
inline CounterStep counter_step(double wraps_at, const Value& before, const Value& now) noexcept {
  using Kind = CounterStep::Kind;
  if (before.is_integer() && now.is_integer()) {
    const auto from = static_cast<std::uint64_t>(before.integer());
    const auto to = static_cast<std::uint64_t>(now.integer());
    if (to >= from) return {Kind::grew, Value{to - from}};
    // At 2^64 the subtraction wraps by itself, as the counter does.
    if (wraps_at >= 0x1p64) {
      if (to - from <= (std::uint64_t{1} << 63U)) return {Kind::wrapped, Value{to - from}};
      return {Kind::reset, now};
    }
    const auto range = wraps_at > 0 ? static_cast<std::uint64_t>(wraps_at) : 0;
    if (from < range) {
      const std::uint64_t over = range - from + to;  // to < from, so this is below range
      if (over <= range / 2) return {Kind::wrapped, Value{over}};
    }
    return {Kind::reset, now};
  }
  const double from = before.real();
  const double to = now.real();
  if (to >= from) return {Kind::grew, Value{to - from}};
  if (from < wraps_at) {
    const double over = wraps_at - from + to;
    if (over <= wraps_at / 2) return {Kind::wrapped, Value{over}};
  }
  return {Kind::reset, Value{to}};
}

}  // namespace fieldpost
