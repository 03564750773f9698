// SPDX-License-Identifier: Apache-2.0
// Which message makes the broker end the connection. A broker that hangs up on one message (AWS IoT on a topic
// that the policy forbids, others on a size they never announced) tells nothing: only that the same message
// was the oldest one in flight each time, and at last the only one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "platform/clock.hpp"

namespace fieldpost {

/// What the broker has taken of one lane.
struct LanePassage {
  std::uint64_t messages = 0;
  std::size_t largest_bytes = 0;

  void note(std::size_t bytes) {
    ++messages;
    largest_bytes = std::max(largest_bytes, bytes);
  }
};

/// The suspicion against one queue's oldest message.
class Suspicion {
 public:
  /// So many ends in a row with the same message at the head: from now on it must go alone.
  static constexpr unsigned kEndsGrave = 2;
  /// So many times it ended a connection alone and at once, though a smaller one of its lane passed in between: it
  /// is too large for this broker. A bad network ends connections too, but not so soon after each publish.
  static constexpr unsigned kProofsSufficient = 5;

  /// A connection ended with `row` as the oldest of its queue in flight.
  void ended(std::int64_t row) {
    if (row != row_) *this = Suspicion{};
    row_ = row;
    ++ends_;
  }

  /// `row` was acknowledged, or another one than the suspect is the oldest now.
  void cleared() { *this = Suspicion{}; }

  bool grave() const noexcept { return ends_ >= kEndsGrave; }
  std::int64_t row() const noexcept { return row_; }

  static constexpr seconds kAtOnce{5};

  /// It ended a connection alone, so long after it was published. True when it is proved that its size is the cause.
  bool ended_alone(std::size_t bytes, nanoseconds after, const LanePassage& lane) {
    const bool others_pass = lane.messages != lane_messages_;
    if (blamed_ && others_pass && after <= kAtOnce && bytes > lane.largest_bytes) ++proofs_;
    blamed_ = true;
    lane_messages_ = lane.messages;
    return proofs_ >= kProofsSufficient;
  }

 private:
  std::int64_t row_ = 0;  ///< 0: none
  unsigned ends_ = 0;
  unsigned proofs_ = 0;
  bool blamed_ = false;
  std::uint64_t lane_messages_ = 0;  ///< when it was blamed last
};

}  // namespace fieldpost
