// SPDX-License-Identifier: Apache-2.0
// Matching by glob, and laying one entry's keys over another's.
#include "agent/configuration/series_policy.hpp"

#include <algorithm>

#include "platform/glob.hpp"

namespace fieldpost {

bool SeriesEntry::matches(const Series& series) const {
  if (!matches_glob(match, series.name)) return false;
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    const auto found =
        std::find_if(series.labels.begin(), series.labels.end(),
                     [&](const Label& label) { return label.name == wanted.first; });
    // As in rules: an absent label counts as empty, so that { device = "*" } matches without one.
    return matches_glob(wanted.second, found == series.labels.end() ? "" : found->value);
  });
}

void SeriesEntry::apply_to(SeriesPolicy& policy) const {
  const auto lay = [](const auto& written, auto& target) {
    if (written) target = *written;
  };
  lay(drop, policy.filter.drop);
  lay(scale, policy.filter.scale);
  lay(offset, policy.filter.offset);
  lay(valid_range, policy.filter.valid_range);
  lay(out_of_range, policy.filter.out_of_range);
  lay(spike, policy.filter.median_of_three);
  lay(deadband, policy.filter.deadband);
  lay(interval_min, policy.filter.interval_min);
  lay(rate, policy.filter.rate);
  lay(window, policy.aggregate.window);
  lay(quantiles, policy.aggregate.quantiles);
  lay(lane, policy.lane);
}

SeriesPolicy SeriesPolicies::of(const Series& series) const {
  SeriesPolicy policy;
  for (const SeriesEntry& entry : entries_) {
    if (entry.matches(series)) entry.apply_to(policy);
  }
  return policy;
}

}  // namespace fieldpost
