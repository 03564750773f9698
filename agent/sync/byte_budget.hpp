// SPDX-License-Identifier: Apache-2.0
// How many bytes may go to the broker, in a second and in a day: a mobile contract's limit. Alerts always go, and
// count; live readings go until the day's bytes are used up; the backlog and bulk leave half of what is over to the
// live readings of the rest of the day.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/sync/sync_options.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

class ByteBudget {
 public:
  enum class Claim : std::uint8_t { alert, live, backlog };
  /// `clock` is lent and outlives it. The first day begins now, until restore() knows better.
  ByteBudget(const Clock& clock, ByteLimits limits);

  /// How long a message of this claim must wait; 0: it may go, and may overdraw what is left.
  nanoseconds wait(Claim claim);
  void spend(std::size_t bytes);

  std::int64_t used_today() const;
  nanoseconds resets_in() const;

  /// What must be kept over a restart, as a line of JSON; and back. What makes no sense is as if nothing had been kept.
  /// Over a reboot the hours that have passed are known by UTC, if it is synchronised now and was then; until then
  /// they are taken for none, so that a device that reboots all day keeps its limit.
  std::string to_text();
  void restore(std::string_view text);

  static constexpr nanoseconds kDay = std::chrono::hours{24};

 private:
  void pass_time();
  nanoseconds wait_for_second();
  nanoseconds wait_for_message();
  nanoseconds wait_for_day(Claim claim);

  const Clock& clock_;
  ByteLimits limits_;
  double second_left_;
  double messages_left_;  ///< a tenth of a second's at most: bursts count against the service's limit
  BootTime second_since_;
  BootTime day_began_;
  std::int64_t day_used_ = 0;
  std::optional<UtcTime> day_began_utc_;  ///< of another boot's day, until UTC is known to be right
};

}  // namespace fieldpost
