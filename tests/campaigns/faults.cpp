// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign faults`; faults.py starts one a core and adds up what they print. What ends
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

#include "tests/campaigns/faults_campaign.hpp"

namespace {

void tell_crash(int number) {
  const char* const trial = fieldpost::faults_trial_under_way();
  static_cast<void>(!::write(STDOUT_FILENO, "violation: ended by a signal in ", 32));
  static_cast<void>(!::write(STDOUT_FILENO, trial, std::strlen(trial)));
  static_cast<void>(!::write(STDOUT_FILENO, "\n", 1));
  ::_exit(128 + number);
}

}  // namespace

int main(int count, char** arguments) {
  using fieldpost::FaultsBreak;
  const std::map<std::string_view, FaultsBreak> breaks{{"nothing", FaultsBreak::nothing},
                                                       {"early-promise", FaultsBreak::early_promise},
                                                       {"forgetful", FaultsBreak::forgetful}};
  fieldpost::FaultsOptions options;
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
    } else if (key == "--only") {
      options.only = value;
    } else if (const auto broken = breaks.find(value); key == "--break" && broken != breaks.end()) {
      options.broken = broken->second;
    } else {
      std::fprintf(stderr,
                   "usage: faults [--seed N] [--count N] [--part N --parts N] [--only "
                   "TRIAL] [--break early-promise|forgetful]\n");
      return 2;
    }
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    struct sigaction action {};
    action.sa_handler = tell_crash;
    ::sigaction(number, &action, nullptr);
  }
  const fieldpost::FaultsFigures figures = fieldpost::run_faults(options);
  for (const std::string& violation : figures.violations) std::printf("violation: %s\n", violation.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "calls_max=%llu c_allocations_max=%llu allocations_max=%llu trials=%llu failed_commits=%llu "
      "attempts_max=%llu "
      "checked_samples=%llu lost_and_told=%llu set_aside=%llu deaths=%llu cuts=%llu violations=%llu\n",
      number(figures.calls), number(figures.c_allocations), number(figures.allocations),
      number(figures.trials), number(figures.failed_commits), number(figures.attempts_max),
      number(figures.samples), number(figures.lost_and_told), number(figures.set_aside),
      number(figures.deaths), number(figures.cut), number(figures.violations.size()));
  return figures.violations.empty() ? 0 : 1;
}
