// SPDX-License-Identifier: Apache-2.0
// Time as the agent sees it. Intervals and samples use the boot-time clock, which counts through
// suspend, never steps and starts at 0 with the kernel; UTC is only ever a stamp, and may be wrong
// (a board without an RTC starts in 1970), so it carries whether the kernel says it is synchronised.
// Tests move a ManualClock by hand (tests/support).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "platform/result.hpp"

namespace fieldpost {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// CLOCK_BOOTTIME as a chrono clock; only its time_point is used, `Clock::now()` reads it.
struct BootClock {
  using duration = nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, duration>;
  static constexpr bool is_steady = true;
};

/// Nanoseconds since the kernel started, suspend included.
using BootTime = BootClock::time_point;

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
using UtcTime = std::chrono::sys_time<nanoseconds>;

/// The kernel's random name of this boot (/proc/sys/kernel/random/boot_id): 36 characters.
using BootId = std::string;

/// The wall clock at one instant, and how far it may be trusted.
struct UtcReading {
  UtcTime time;
  bool synchronised = false;  ///< adjtimex(2) does not report STA_UNSYNC
  nanoseconds error_bound{};  ///< adjtimex(2) maxerror; meaningless while not synchronised
  BootTime at{};              ///< the same instant on the boot-time clock
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime now() const = 0;
  virtual UtcReading utc() const = 0;
  virtual const BootId& boot_id() const = 0;

  UtcTime lowest() const noexcept { return lowest_; }
  /// A free-running clock is wrong by one part in so many, at most: 200 ppm. Crystals of boards are sold with 20
  /// to 100 over their temperatures.
  static constexpr int kDriftOneIn = 5'000;

  /// UTC is not earlier than this. Grows with boot time, as slowly as the clock may be fast; 1970 until somebody
  /// has said better.
  UtcTime floor() const;
  /// Says that at boot time 0 it was at least `since_1970`. The newest word counts, also a lower one: who was
  /// sure of a time may learn that it was wrong. The instant given to the constructor stays.
  void note_floor(nanoseconds since_1970) const noexcept { floor_ = since_1970.count(); }
  /// utc(), but while nobody vouches for the wall clock never below the floor, and never below the lowest: what is
  /// shown to people, and what certificates are judged by.
  UtcReading utc_above_floor() const;

 protected:
  Clock() = default;
  /// `lowest`: an instant that is over, such as that of the build.
  explicit Clock(UtcTime lowest) : lowest_{lowest} {}

 private:
  UtcTime lowest_{};
  /// What is known of the world, not a state of the clock: those who only read clocks learn it. Atomic
  /// because log lines of workers bear the time as well.
  mutable std::atomic<std::int64_t> floor_{0};
};

/// The machine's clocks. boot_id is read once; where /proc has none it is random, so that two
/// boots are never taken for one.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(UtcTime lowest = UtcTime{});
  BootTime now() const override;
  UtcReading utc() const override;
  const BootId& boot_id() const override { return boot_id_; }

 private:
  BootId boot_id_;
};

/// "2026-11-20T13:48:27.123Z" (RFC 3339, UTC, milliseconds).
std::string to_rfc3339(UtcTime time);

/// The inverse of to_rfc3339; fractions of up to nine digits; only "Z" is accepted as the zone.
/// Errors: Malformed
Result<UtcTime> from_rfc3339(std::string_view text);

}  // namespace fieldpost
