// SPDX-License-Identifier: Apache-2.0
// What the store has given away of its rows. It outlives the database that they came from.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>

#include "agent/store/lane.hpp"

namespace fieldpost {

/// Two things are known of each lane: which rows somebody has in hand now, on their way to the broker; those are not
/// dropped, for the broker may take them and a gap would tell them lost. And up to which row any may ever have left the
/// device, in this life of the process or an earlier one; only what lies beyond may come to stand under another number.
class HandedOut {
 public:
  using Rows = std::array<std::int64_t, kLanes.size()>;

  bool holds(Lane lane, std::int64_t row) const { return held_[place(lane)].contains(row); }
  void hold(Lane lane, std::int64_t row) { held_[place(lane)].insert(row); }
  void release(Lane lane, std::int64_t row) { held_[place(lane)].erase(row); }
  /// All but those of `kept`.
  void release_all(Lane lane, const std::set<std::int64_t>& kept) {
    std::erase_if(held_[place(lane)], [&kept](std::int64_t row) { return !kept.contains(row); });
  }

  std::int64_t newest(Lane lane) const { return newest_[place(lane)]; }
  void raise(Lane lane, std::int64_t row) { newest_[place(lane)] = std::max(newest(lane), row); }
  const Rows& all() const noexcept { return newest_; }

 private:
  static constexpr std::size_t place(Lane lane) { return static_cast<std::size_t>(lane); }

  std::array<std::set<std::int64_t>, kLanes.size()> held_;
  Rows newest_{};
};

}  // namespace fieldpost
