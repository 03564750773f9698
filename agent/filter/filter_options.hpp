// SPDX-License-Identifier: Apache-2.0
// What the filter does with one series. All defaults together pass every finite sample on, marking
// those outside the series' own valid range as suspect.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "hal/series.hpp"
#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Small changes are withheld.
struct Deadband {
  /// A sample passes when it differs from the last one passed by more than the larger of the two
  /// bands. Both 0: whenever it differs at all.
  double absolute = 0;
  double relative = 0;  ///< share of the last value passed: 0.01 = one percent
  /// And it passes in any case when the last one passed is this old, so that a silent source can be
  /// told from a steady one. 0: never.
  nanoseconds heartbeat = std::chrono::seconds{60};

  friend bool operator==(const Deadband&, const Deadband&) = default;
};

struct FilterOptions {
  enum class OutOfRange : std::uint8_t { suspect, drop };
  enum class Rate : std::uint8_t {
    none,
    extra,    ///< the counter and its rate
    replace,  ///< the rate in place of the counter
  };

  /// Nothing of the series goes on, and no rate is made of it.
  bool drop = false;

  /// Calibration: value * scale + offset. Integers stay exact where scale and offset are whole
  /// numbers and the result fits. A counter's own numbers are never touched (their wraps and
  /// resets would no longer be recognisable): its rate is scaled instead, and offset is ignored.
  double scale = 1;
  double offset = 0;

  /// Checked after calibration, instead of the series' own range (which is checked before it).
  std::optional<ValidRange> valid_range{};
  OutOfRange out_of_range = OutOfRange::suspect;

  /// Spike gate: the median of this and the two samples before goes on in its place. A single
  /// outlier never passes; a step comes one sample late. Not for counters, where it is ignored.
  bool median_of_three = false;

  std::optional<Deadband> deadband{};

  /// At most one sample in so long (by sample time); 0: no limit.
  nanoseconds interval_min{0};

  /// Per second, as gauge `<name without _total>_per_second` with the same labels. The derived
  /// series is a series like any other: it has its own FilterOptions, found by its own name.
  Rate rate = Rate::none;
};

/// Errors: OutOfRange, naming the member and what is allowed
Result<void> check(const FilterOptions& options);

}  // namespace fieldpost
