// SPDX-License-Identifier: Apache-2.0
// The times of a segment's samples. Series read in one pass share their times, so a list of times is
// stored once and series refer to it; the lists in turn are made of the segment's distinct instants.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "hal/sample.hpp"

namespace fieldpost {

/// Collects the times of one series after the other, and knows which are the same.
class TimeColumn {
 public:
  /// The number of the list of these samples' times; a new one if there was none like it.
  std::size_t add(std::span<const Sample> samples);

  std::size_t lists() const noexcept { return starts_.size(); }
  std::span<const std::int64_t> list(std::size_t number) const;
  /// Times in all distinct lists together.
  std::size_t times() const noexcept { return times_.size(); }

  /// `first`: the segment's earliest time, which its header bears.
  void write(ByteWriter& out, BootTime first) const;

 private:
  std::vector<std::int64_t> times_;   ///< of all lists, one behind the other, nanoseconds since boot
  std::vector<std::size_t> starts_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_hash_;
  std::size_t newest_ = 0;
};

/// The lists, in order. On damage the reader has failed.
std::vector<std::vector<BootTime>> read_time_lists(ByteReader& in, BootTime first, std::size_t times_max);

}  // namespace fieldpost
