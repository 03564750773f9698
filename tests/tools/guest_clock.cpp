// SPDX-License-Identifier: Apache-2.0
// The clock of a virtual board (tests/tools/arm_board.py), which has only busybox besides: reads it, steps it
// as an NTP client does, and says to the kernel that it is synchronised.
//   guest_clock                       prints boot time and UTC in nanoseconds
//   guest_clock OFFSET                UTC is OFFSET nanoseconds more than boot time; not synchronised
//   guest_clock OFFSET MAXERROR_US    the same, and synchronised
#include <sys/timex.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

namespace {

long long nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) {
    const long long utc = nanoseconds(CLOCK_BOOTTIME) + std::atoll(arguments[1]);
    const timespec wanted{utc / 1'000'000'000, utc % 1'000'000'000};
    if (::clock_settime(CLOCK_REALTIME, &wanted) != 0)
      return 1;  // the kernel takes it for unsynchronised now
  }
  if (count > 2) {
    timex told{};
    told.modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR;
    told.status = STA_PLL;
    told.maxerror = told.esterror = std::atol(arguments[2]);
    if (::adjtimex(&told) < 0) return 1;
  }
  std::printf("%lld %lld\n", nanoseconds(CLOCK_BOOTTIME), nanoseconds(CLOCK_REALTIME));
  return 0;
}
