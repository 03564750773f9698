// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign damage`; damage.py starts one a core and adds up what they print. What ends
// it by a signal, a hang among them, is told with the trial that did it.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "tests/campaigns/damage_campaign.hpp"

namespace {

void tell_crash(int number) {
  const char* const trial = fieldpost::damage_trial_under_way();
  static_cast<void>(!::write(STDOUT_FILENO, "violation: ended by a signal in ", 32));
  static_cast<void>(!::write(STDOUT_FILENO, trial, std::strlen(trial)));
  static_cast<void>(!::write(STDOUT_FILENO, "\n", 1));
  ::_exit(128 + number);
}

}  // namespace

int main(int count, char** arguments) {
  using fieldpost::DamageBreak;
  const std::map<std::string_view, DamageBreak> breaks{{"nothing", DamageBreak::nothing},
                                                       {"no-crc", DamageBreak::no_crc},
                                                       {"no-marks", DamageBreak::no_marks},
                                                       {"no-gaps", DamageBreak::no_gaps}};
  fieldpost::DamageOptions options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view key{arguments[i]};
    const char* const value = arguments[i + 1];
    if (key == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (key == "--count") {
      options.count = std::strtoull(value, nullptr, 10);
    } else if (key == "--part") {
      options.part = std::strtoull(value, nullptr, 10);
    } else if (key == "--parts") {
      options.parts = std::strtoull(value, nullptr, 10);
    } else if (key == "--written-back") {
      options.is_written_back = std::string_view{value} != "0";
    } else if (key == "--only") {
      options.only = value;
    } else if (const auto broken = breaks.find(value); key == "--break" && broken != breaks.end()) {
      options.broken = broken->second;
    } else {
      std::fprintf(stderr,
                   "usage: damage [--seed N] [--count N] [--part N --parts N] [--written-back 0|1] [--only "
                   "TRIAL] [--break no-crc|no-marks|no-gaps]\n");
      return 2;
    }
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    struct sigaction action {};
    action.sa_handler = tell_crash;
    ::sigaction(number, &action, nullptr);
  }
  const fieldpost::DamageFigures figures = fieldpost::run_damage(options);
  for (const auto& [place, untold] : figures.untold_by_place) {
    std::printf("untold: %s: %llu readings in %llu trials, first %s\n", place.c_str(),
                static_cast<unsigned long long>(untold.readings),
                static_cast<unsigned long long>(untold.trials), untold.first.c_str());
  }
  for (const std::string& violation : figures.violations) std::printf("violation: %s\n", violation.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "trials=%llu bytes=%llu start_calls_max=%llu start_cpu_us_max=%llu attempts_max=%llu set_aside=%llu "
      "new_epochs=%llu "
      "checked_samples=%llu lost=%llu lost_told_without_number=%llu lost_untold=%llu "
      "dropped_before_and_report_lost=%llu miscounted=%llu sent_again=%llu violations=%llu\n",
      number(figures.trials), number(figures.bytes), number(figures.calls_max), number(figures.cpu_max_us),
      number(figures.attempts_max), number(figures.set_aside), number(figures.new_epochs),
      number(figures.handed_out), number(figures.lost), number(figures.unnamed), number(figures.untold),
      number(figures.reports_lost), number(figures.miscounted), number(figures.returned),
      number(figures.violations.size()));
  return figures.violations.empty() ? 0 : 1;
}
