// SPDX-License-Identifier: Apache-2.0
// What the store has given away of its rows. It outlives the database that they came from.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "agent/store/lane.hpp"

namespace fieldpost {

/// Two things are known of each lane: which rows somebody has in hand now, on their way to the broker; those are not
/// dropped, for the broker may take them and a gap would tell them lost. And which rows may ever have left the device, in this life
/// of the process or an earlier one; only the others may come to stand under another number.
class HandedOut {
 public:
  using Rows = std::array<std::int64_t, kLanes.size()>;
  struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  /// Ascending, with something between them.
  using Ranges = std::array<std::vector<Range>, kLanes.size()>;
  /// In each lane. The backlog's is one; each connection in an outage may add one, of what was the newest then.
  static constexpr std::size_t kRangesMax = 32;

  bool holds(Lane lane, std::int64_t row) const { return held_[place(lane)].contains(row); }
  void hold(Lane lane, std::int64_t row) { held_[place(lane)].insert(row); }
  void release(Lane lane, std::int64_t row) { held_[place(lane)].erase(row); }
  /// All but those of `kept`.
  void release_all(Lane lane, const std::set<std::int64_t>& kept) {
    std::erase_if(held_[place(lane)], [&kept](std::int64_t row) { return !kept.contains(row); });
  }

  /// Where the rows end that may have left the device as this one may; nothing if it did not.
  std::optional<std::int64_t> left_until(Lane lane, std::int64_t row) const {
    for (const Range& range : left_[place(lane)]) {
      if (range.first <= row && row <= range.last) return range.last;
    }
    return std::nullopt;
  }

  /// Of those beyond `after` up to `row`, whether they are still there or not.
  bool any_left(Lane lane, std::int64_t after, std::int64_t row) const {
    const std::vector<Range>& ranges = left_[place(lane)];
    return std::any_of(ranges.begin(), ranges.end(), [=](const Range& range) { return range.last > after && range.first <= row; });
  }

  /// If they are too many, the two that are nearest to each other become one, with what is between them.
  void note_left(Lane lane, Range range) {
    if (range.last < std::max<std::int64_t>(range.first, 1)) return;
    std::vector<Range>& ranges = left_[place(lane)];
    std::erase_if(ranges, [&range](const Range& other) {
      if (other.first > range.last + 1 || range.first > other.last + 1) return false;
      range = {std::min(range.first, other.first), std::max(range.last, other.last)};
      return true;
    });
    const auto behind = std::find_if(ranges.begin(), ranges.end(), [&range](const Range& other) { return other.first > range.last; });
    ranges.insert(behind, range);
    if (ranges.size() <= kRangesMax) return;
    std::size_t nearest = 1;
    for (std::size_t i = 2; i < ranges.size(); ++i) {
      if (ranges[i].first - ranges[i - 1].last < ranges[nearest].first - ranges[nearest - 1].last) nearest = i;
    }
    ranges[nearest - 1].last = ranges[nearest].last;
    ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(nearest));
  }
  const Ranges& all() const noexcept { return left_; }

 private:
  static constexpr std::size_t place(Lane lane) { return static_cast<std::size_t>(lane); }

  std::array<std::set<std::int64_t>, kLanes.size()> held_;
  Ranges left_;
};

}  // namespace fieldpost
