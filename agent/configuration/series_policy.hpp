// SPDX-License-Identifier: Apache-2.0
// What the [[series]] entries say about one series. Entries apply in the order of the file and a later
// key wins over an earlier one, as in a style sheet: a general entry first, exceptions below it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/aggregate/aggregate_options.hpp"
#include "agent/filter/filter_options.hpp"
#include "agent/store/lane.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// All that is done with one series.
struct SeriesPolicy {
  FilterOptions filter;
  AggregateOptions aggregate;
  Lane lane = Lane::live;
};

/// One [[series]] entry: what it matches, and the keys that were written.
struct SeriesEntry {
  int line = 0;
  std::string match;  ///< glob over the name
  std::vector<std::pair<std::string, std::string>> labels;  ///< name, glob over the value

  std::optional<bool> drop;
  std::optional<double> scale;
  std::optional<double> offset;
  std::optional<ValidRange> valid_range;
  std::optional<FilterOptions::OutOfRange> out_of_range;
  std::optional<bool> spike;
  std::optional<Deadband> deadband;
  std::optional<nanoseconds> interval_min;
  std::optional<FilterOptions::Rate> rate;
  std::optional<nanoseconds> window;
  std::optional<std::vector<double>> quantiles;
  std::optional<Lane> lane;

  bool matches(const Series& series) const;
  /// Puts the written keys over `policy`.
  void apply_to(SeriesPolicy& policy) const;
};

class SeriesPolicies {
 public:
  static constexpr std::size_t kEntriesMax = 1'000;

  SeriesPolicies() = default;
  explicit SeriesPolicies(std::vector<SeriesEntry> entries) : entries_{std::move(entries)} {}

  SeriesPolicy of(const Series& series) const;
  const std::vector<SeriesEntry>& entries() const noexcept { return entries_; }

 private:
  std::vector<SeriesEntry> entries_;
};

}  // namespace fieldpost
