// SPDX-License-Identifier: Apache-2.0
// Time as the agent sees it. Intervals and samples use the boot-time clock, which counts through
// suspend, never steps and starts at 0 with the kernel; UTC is only ever a stamp, and may be wrong
// (a board without an RTC starts in 1970), so it carries whether the kernel says it is synchronised.
// Tests move a ManualClock by hand (tests/support).
#pragma once

#include <array>
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
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime now() const = 0;
  virtual UtcReading utc() const = 0;
  virtual const BootId& boot_id() const = 0;
};

/// The machine's clocks. boot_id is read once; where /proc has none it is random, so that two
/// boots are never taken for one.
class SystemClock final : public Clock {
 public:
  SystemClock();
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
