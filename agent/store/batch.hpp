// SPDX-License-Identifier: Apache-2.0
// What one lane took since its last commit, in order of arrival, with an account of the memory it
// occupies. It travels between the loop (which fills it) and the worker (which makes segments of it).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/aggregate/reading.hpp"
#include "agent/store/lane.hpp"
#include "agent/store/segment.hpp"
#include "hal/event.hpp"
#include "hal/sample.hpp"

namespace fieldpost {

class Batch {
 public:
  void add(const Sample& sample);
  void add(const Summary& summary);
  void add(Event event);

  bool empty() const noexcept { return samples_.empty() && summaries_.empty() && events_.empty(); }
  std::size_t readings() const noexcept { return samples_.size() + summaries_.size() + events_.size(); }
  /// Estimated memory of the readings.
  std::size_t bytes() const noexcept { return bytes_; }

  const std::vector<Sample>& samples() const noexcept { return samples_; }
  const std::vector<Summary>& summaries() const noexcept { return summaries_; }
  const std::vector<Event>& events() const noexcept { return events_; }

  /// Puts an older batch, which could not be committed, in front of this one.
  void put_back(Batch&& older);

  /// Forgets about `bytes` of the oldest readings (at least one, if there is any) and adds them to
  /// `gap`: their number and the span of their times.
  void drop_oldest(std::size_t bytes, Gap& gap);

 private:
  std::vector<Sample> samples_;
  std::vector<Summary> summaries_;
  std::vector<Event> events_;
  std::size_t bytes_ = 0;
};

/// By lane.
using Batches = std::array<Batch, kLanes.size()>;

constexpr std::size_t index(Lane lane) noexcept { return static_cast<std::size_t>(lane); }

std::size_t bytes_of(const Batches& batches) noexcept;
std::uint64_t readings_of(const Batches& batches) noexcept;

/// Forgets about `bytes` of the oldest, bulk first and alerts last; a gap for each lane that lost some.
std::vector<Gap> drop_oldest(Batches& batches, std::size_t bytes, const BootId& boot);

/// Adds one more loss to a gap.
void extend(Gap& gap, std::uint64_t readings, BootTime first, BootTime last);

}  // namespace fieldpost
