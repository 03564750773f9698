// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_options.hpp"

#include <array>
#include <ctime>
#include <span>

#include "platform/crc32c.hpp"

namespace fieldpost {
namespace {

constexpr int kDayMinutes = 24 * 60;
constexpr std::array<std::string_view, 7> kDays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/// "04:30" as minutes of the day; -1 if it is no such time. "24:00" is one.
int minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return -1;
  for (const std::size_t at : {0U, 1U, 3U, 4U}) {
    if (text[at] < '0' || text[at] > '9') return -1;
  }
  const int hour = (text[0] - '0') * 10 + text[1] - '0';
  const int minute = (text[3] - '0') * 10 + text[4] - '0';
  if (minute > 59 || hour * 60 + minute > kDayMinutes) return -1;
  return hour * 60 + minute;
}

}  // namespace

Result<MaintenanceWindow> maintenance_window(std::string_view hours, const std::vector<std::string>& days, bool is_local) {
  MaintenanceWindow window;
  window.is_local = is_local;
  if (!hours.empty()) {
    const int from = hours.size() == 11 && hours[5] == '-' ? minute_of(hours.substr(0, 5)) : -1;
    const int until = from < 0 ? -1 : minute_of(hours.substr(6));
    if (until < 0 || from == until || from == kDayMinutes) {
      return Error{ErrorKind::Malformed, "\"" + std::string{hours} + "\" is no window such as \"02:00-04:30\""};
    }
    window.from_minute = from;
    window.minutes = until > from ? until - from : until + kDayMinutes - from;
  }
  if (days.empty()) return window;
  window.days = 0;
  for (const std::string& day : days) {
    unsigned bit = 0;
    while (bit < kDays.size() && kDays[bit] != day) ++bit;
    if (bit == kDays.size()) return Error{ErrorKind::Malformed, "\"" + day + "\" is no day: sun, mon, tue, wed, thu, fri, sat"};
    window.days |= 1U << bit;
  }
  return window;
}

bool is_open(const MaintenanceWindow& window, UtcTime now) {
  const auto when = static_cast<std::time_t>(std::chrono::floor<seconds>(now).time_since_epoch().count());
  std::tm parts{};
  if ((window.is_local ? ::localtime_r(&when, &parts) : ::gmtime_r(&when, &parts)) == nullptr) return false;
  const int minute = parts.tm_hour * 60 + parts.tm_min;
  const auto begins_on = [&window](int day) { return ((window.days >> ((day + 7) % 7)) & 1U) != 0; };
  const int since = minute - window.from_minute;
  if (since >= 0 && since < window.minutes) return begins_on(parts.tm_wday);
  // The one that began yesterday.
  return since + kDayMinutes < window.minutes && begins_on(parts.tm_wday - 1);
}

unsigned wave_of(std::string_view device, unsigned count) {
  const std::uint64_t share = crc32c(std::as_bytes(std::span{device}));
  return static_cast<unsigned>((share * count) >> 32U);
}

}  // namespace fieldpost
