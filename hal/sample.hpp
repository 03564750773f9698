// SPDX-License-Identifier: Apache-2.0
// One reading: a series, an exact value, when, and how good it is.
#pragma once

#include <cstdint>
#include <type_traits>

#include "hal/series.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

/// A double or a 64-bit integer, kept exactly as the source gave it. Counters beyond 2^53 stay exact.
class Value {
 public:
  enum class Type : std::uint8_t { real, integer };

  constexpr Value() noexcept : integer_{0}, type_{Type::integer} {}
  // NOLINTBEGIN(google-explicit-constructor): a number is a value
  constexpr Value(double real) noexcept : real_{real}, type_{Type::real} {}
  template <typename Integer>
    requires std::is_integral_v<Integer>
  constexpr Value(Integer integer) noexcept
      : integer_{static_cast<std::int64_t>(integer)}, type_{Type::integer} {}
  // NOLINTEND(google-explicit-constructor)

  constexpr Type type() const noexcept { return type_; }
  constexpr bool is_integer() const noexcept { return type_ == Type::integer; }
  /// Requires: is_integer(). Unsigned 64-bit counters above 2^63 come as their two's complement.
  constexpr std::int64_t integer() const noexcept { return integer_; }
  /// The value as a double; integers beyond 2^53 are rounded.
  constexpr double real() const noexcept {
    return is_integer() ? static_cast<double>(integer_) : real_;
  }

 private:
  union {
    double real_;
    std::int64_t integer_;
  };
  Type type_;
};

enum class Quality : std::uint8_t {
  good,
  suspect,      ///< outside the valid range or refused by a filter's check, passed on all the same
  substituted,  ///< not read: a last known or default value stands in
};

struct Sample {
  SeriesId series{};
  Value value;
  BootTime time;
  Quality quality = Quality::good;
};

/// Whoever receives samples: the filter in the agent, a list in a test.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void accept(const Sample& sample) = 0;
};

}  // namespace fieldpost
