// SPDX-License-Identifier: Apache-2.0
// How much may be on its way to the broker. Bytes that Paho, TLS and the kernel have taken cannot be overtaken: on a
// slow link an alert would wait for all of them. So the lower lanes keep no more on its way than the link moves in a
// second beyond the round trip, by the rate at which the broker acknowledges. What is urgent takes of that, but
// alone it holds nothing back: alerts that never end must not end all others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "platform/clock.hpp"

namespace fieldpost {

class Pace {
 public:
  /// What must be known of a message when its acknowledgement comes.
  struct Mark {
    std::size_t bytes = 0;
    BootTime published;
    BootTime since;             ///< of the latest acknowledgement before it; or published, where nothing was on its way
    BootTime sent_since;        ///< when what that one acknowledged was published; or published, likewise
    std::uint64_t delivered = 0;
    bool is_limited = false;    ///< the window held it back: a lower rate is the link's, not ours
    bool is_urgent = false;
  };

  /// Nothing is known of a new connection.
  void restart() { *this = Pace{}; }

  Mark published(BootTime now, std::size_t bytes);
  Mark published_urgent(BootTime now, std::size_t bytes);
  void acknowledged(BootTime now, const Mark& message);

  /// Bytes that may be published now; without a bound while nothing is on its way that is not urgent.
  std::size_t room(BootTime now) const;
  /// Nothing is on its way that is not urgent.
  bool is_idle() const noexcept { return on_its_way_ == 0; }
  /// Acknowledged bytes a second; 0: not known.
  double rate() const noexcept { return rate_; }

  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t kWindowFirst = 8U << 10U;  ///< until the first acknowledgement
  static constexpr std::size_t kWindowMin = 4U << 10U;
  static constexpr nanoseconds kAhead = seconds{1};
  /// So often all that is on its way must have arrived once: only then the round trip can be told from our own queue.
  static constexpr nanoseconds kLookAgainEvery = seconds{30};

 private:
  double window() const;
  Mark mark(BootTime now, std::size_t bytes);

  double rate_ = 0;
  std::size_t on_its_way_ = 0;  ///< urgent ones not counted
  std::size_t urgent_ = 0;      ///< these
  std::uint64_t delivered_ = 0;
  BootTime delivered_at_;
  BootTime sent_at_;   ///< when what was acknowledged last was published
  BootTime empty_at_;  ///< when something was published that found nothing on its way, the last time
  double probe_ = 0;   ///< a wider window, after a look at the round trip until the next acknowledgement
  // The shortest time to an acknowledgement, of the time since about empty_at_ and of the one before.
  nanoseconds round_trip_ = kUnknown;
  nanoseconds round_trip_before_ = kUnknown;
  BootTime round_trip_since_;

  static constexpr nanoseconds kUnknown = nanoseconds::max();
};

}  // namespace fieldpost
