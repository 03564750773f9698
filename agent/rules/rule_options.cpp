// SPDX-License-Identifier: Apache-2.0
// What a rule may say; the configuration turns the sentences into file, line and key.
#include "agent/rules/rule_options.hpp"

#include <cmath>

namespace fieldpost {
namespace {

Error refused(const char* sentence) { return Error{ErrorKind::OutOfRange, sentence}; }

bool is_finite_or_absent(const std::optional<double>& threshold) {
  return !threshold || std::isfinite(*threshold);
}

}  // namespace

std::string_view to_string(RuleOptions::Statistic statistic) noexcept {
  switch (statistic) {
    case RuleOptions::Statistic::last: return "last";
    case RuleOptions::Statistic::mean: return "mean";
    case RuleOptions::Statistic::max: return "max";
    case RuleOptions::Statistic::min: return "min";
    case RuleOptions::Statistic::p95: return "p95";
    case RuleOptions::Statistic::rate: return "rate";
  }
  return "unknown";
}

Result<void> check(const RuleOptions& options) {
  if (options.name.empty()) return refused("name must not be empty");
  if (options.metric.empty()) return refused("series must not be empty");
  for (const auto& threshold : {options.warn_above, options.critical_above, options.warn_below,
                                options.critical_below}) {
    if (!is_finite_or_absent(threshold)) return refused("thresholds must be finite numbers");
  }
  const bool has_threshold = options.warn_above || options.critical_above || options.warn_below ||
                             options.critical_below;
  if (!has_threshold && options.no_data_after == nanoseconds{0}) {
    return refused(
        "a rule needs warn_above, critical_above, warn_below, critical_below or no_data_for");
  }
  if (options.warn_above && options.critical_above &&
      *options.critical_above < *options.warn_above) {
    return refused("critical_above must not lie below warn_above");
  }
  if (options.warn_below && options.critical_below &&
      *options.critical_below > *options.warn_below) {
    return refused("critical_below must not lie above warn_below");
  }
  if (!(options.hysteresis >= 0) || !std::isfinite(options.hysteresis)) {
    return refused("hysteresis must be 0 or more");
  }
  // Coming back over one threshold must be possible without crossing the other.
  const auto& lowest_above = options.warn_above ? options.warn_above : options.critical_above;
  const auto& highest_below = options.warn_below ? options.warn_below : options.critical_below;
  if (lowest_above && highest_below &&
      !(*highest_below + options.hysteresis <= *lowest_above - options.hysteresis)) {
    return refused("the thresholds below must lie under those above by twice the hysteresis");
  }
  if (options.for_duration < nanoseconds{0}) return refused("for must be 0 or more");
  if (options.no_data_after < nanoseconds{0}) return refused("no_data_for must be 0 or more");
  if (options.no_data_severity != Severity::info && options.no_data_severity != Severity::warn &&
      options.no_data_severity != Severity::critical) {
    return refused("no_data_severity must be info, warn or critical");
  }
  return {};
}

}  // namespace fieldpost
