// SPDX-License-Identifier: Apache-2.0
// One rule as the configuration writes it: which series, which number of theirs, what is too much,
// for how long, and when silence itself is the news.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hal/event.hpp"
#include "hal/series.hpp"
#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct RuleOptions {
  /// The number of a reading that is compared. A plain sample is its own last, mean, max, min and
  /// quantile.
  enum class Statistic : std::uint8_t {
    last,
    mean,
    max,
    min,
    p95,   ///< the series' window must ask for quantile 0.95; without it nothing is compared
    rate,  ///< per second: a counter's increase, a gauge's change
  };

  std::string name;    ///< the event's name: "cpu_hot"
  std::string metric;  ///< glob over the series' name: "node_hwmon_temp_celsius", "node_*_celsius"
  std::vector<Label> labels;  ///< name, and glob over its value; all must match; absent counts as ""

  Statistic statistic = Statistic::last;
  std::optional<double> warn_above;
  std::optional<double> critical_above;
  std::optional<double> warn_below;
  std::optional<double> critical_below;
  /// How far back over a threshold the value must come before the alarm is over; in the value's unit.
  double hysteresis = 0;
  /// How long the condition must hold without a break before it is an alarm; 0: at once.
  nanoseconds for_duration{0};

  /// No reading of a matched series (or no matching series at all) for so long is an alarm of its
  /// own, named "<name>_no_data"; 0: never. Longer than the window and the deadband's heartbeat.
  nanoseconds no_data_after{0};
  Severity no_data_severity = Severity::warn;
};

/// "last", "mean", "max", "min", "p95", "rate".
std::string_view to_string(RuleOptions::Statistic statistic) noexcept;

/// Errors: OutOfRange, naming the member and what is allowed
Result<void> check(const RuleOptions& options);

}  // namespace fieldpost
