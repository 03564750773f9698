// SPDX-License-Identifier: Apache-2.0
// The machine's clocks, and the one text form of UTC that everything outside the agent sees.
#include "platform/clock.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kBootIdBytes = 36;

nanoseconds read_clock(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);  // cannot fail for the clocks every Linux has
  return seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

BootId kernel_boot_id() {
  const FileDescriptor file{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
  std::array<char, kBootIdBytes> text{};
  if (!file || ::read(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return {};
  }
  return BootId{text.data(), text.size()};
}

/// A random UUID (RFC 4122, version 4).
BootId random_boot_id() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    // No entropy source at all: the start of this process still tells two boots apart.
    const auto now = read_clock(CLOCK_REALTIME).count();
    std::memcpy(bytes.data(), &now, sizeof now);
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
  BootId text;
  text.reserve(kBootIdBytes);
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 0x0FU];
  }
  return text;
}

/// Exactly `count` digits at `position`, as a number.
std::optional<unsigned> digits(std::string_view text, std::size_t position, std::size_t count) {
  unsigned value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const char c = text[position + i];
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

bool is_vouched_for(timex& adjustment) {
  adjustment = {};
  const int state = ::adjtimex(&adjustment);
  return state >= 0 && state != TIME_ERROR && (adjustment.status & STA_UNSYNC) == 0;
}

}  // namespace

UtcTime Clock::floor() const {
  const nanoseconds up = now().time_since_epoch();
  return std::max(lowest_, UtcTime{nanoseconds{floor_.load()} + up - up / kDriftOneIn});
}

UtcReading Clock::utc_above_floor() const {
  UtcReading reading = utc();
  reading.time = std::max(reading.time, reading.synchronised ? lowest_ : floor());
  return reading;
}

SystemClock::SystemClock(UtcTime lowest) : Clock{lowest}, boot_id_{kernel_boot_id()} {
  if (boot_id_.empty()) boot_id_ = random_boot_id();
}

BootTime SystemClock::now() const { return BootTime{read_clock(CLOCK_BOOTTIME)}; }

UtcReading SystemClock::utc() const {
  // The distance of the two clocks matters, so no other process may run between reading the one and the other:
  // that would look like a step.
  constexpr nanoseconds kBetweenMax = std::chrono::microseconds{100};
  constexpr int kAttemptsMax = 5;
  // The kernel must vouch for the time before and after it was read: an NTP client may step the clock in between,
  // and what was read before the step would be taken for right.
  timex adjustment{};
  const bool was_vouched_for = is_vouched_for(adjustment);
  UtcReading reading;
  nanoseconds between_least = nanoseconds::max();
  for (int attempt = 0; attempt < kAttemptsMax && between_least > kBetweenMax; ++attempt) {
    const nanoseconds before = read_clock(CLOCK_BOOTTIME);
    const nanoseconds time = read_clock(CLOCK_REALTIME);
    const nanoseconds between = read_clock(CLOCK_BOOTTIME) - before;
    if (between >= between_least) continue;
    between_least = between;
    reading.time = UtcTime{time};
    reading.at = BootTime{before + between / 2};
  }
  if (is_vouched_for(adjustment) && was_vouched_for) {
    reading.synchronised = true;
    reading.error_bound = std::chrono::microseconds{adjustment.maxerror} + between_least;
  }
  return reading;
}

std::string to_rfc3339(UtcTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<milliseconds>(time - day)};
  char text[40];
  const int length =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return std::string{text, static_cast<std::size_t>(length)};
}

Result<UtcTime> from_rfc3339(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return Error{ErrorKind::Malformed,
                 "\"" + std::string{text.substr(0, 40)} +
                     "\" is not a time like 2026-11-20T13:48:27.123Z: " + std::string{why}};
  };
  constexpr std::size_t kShortest = 20;  // without a fraction
  constexpr std::size_t kLongest = 30;   // with nine digits of it
  if (text.size() < kShortest || text.size() > kLongest) return refuse("wrong length");
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return refuse("wrong separators");
  }
  if (text.back() != 'Z') return refuse("the zone must be Z");
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return refuse("a digit is missing");

  nanoseconds fraction{0};
  if (text.size() > kShortest) {
    const std::size_t count = text.size() - kShortest - 1;
    const auto value = digits(text, kShortest, count);
    if (text[kShortest - 1] != '.' || count == 0 || !value) return refuse("the fraction is wrong");
    std::int64_t scaled = *value;
    for (std::size_t i = count; i < 9; ++i) scaled *= 10;
    fraction = nanoseconds{scaled};
  }

  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                         std::chrono::month{*month}, std::chrono::day{*day}};
  if (!date.ok()) return refuse("there is no such day");
  // A leap second (":60") has no number in UtcTime and is refused like any other wrong second.
  if (*hour > 23 || *minute > 59 || *second > 59) return refuse("there is no such time of day");
  // UtcTime counts nanoseconds in 64 bits, which ends within 1677 and 2262.
  if (*year < 1678 || *year > 2261) return refuse("the year is out of range");
  return UtcTime{std::chrono::sys_days{date}} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         seconds{*second} + fraction;
}

}  // namespace fieldpost
