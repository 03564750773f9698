// SPDX-License-Identifier: Apache-2.0
// The in-process part of `./dev campaign clocks`; clocks.py starts some of them at once and adds up what they print.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "tests/campaigns/clocks_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::ClocksBreak;
  const std::map<std::string_view, ClocksBreak> breaks{{"nothing", ClocksBreak::nothing}, {"believe", ClocksBreak::believe},
                                                       {"stamp-at-once", ClocksBreak::stamp_at_once}, {"no-drift", ClocksBreak::no_drift},
                                                       {"forget-floor", ClocksBreak::forget_floor}};
  fieldpost::ClocksOptions options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view key{arguments[i]};
    const char* const value = arguments[i + 1];
    if (key == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (key == "--count") {
      options.scenes = std::strtoull(value, nullptr, 10);
    } else if (const auto broken = breaks.find(value); key == "--break" && broken != breaks.end()) {
      options.broken = broken->second;
    } else {
      std::fprintf(stderr, "usage: clocks [--seed N] [--count N] [--break believe|stamp-at-once|no-drift|forget-floor]\n");
      return 2;
    }
  }
  const fieldpost::ClocksFigures figures = fieldpost::run_clocks(options);
  for (const std::string& violation : figures.violations) std::printf("violation: %s\n", violation.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("scenes=%llu boots=%llu steps=%llu readings_sent=%llu trusted=%llu untrusted=%llu bracketed=%llu corrected=%llu "
              "corrected_worst_ms=%.0f sent_while_ntp_lied=%llu violations=%llu\n",
              number(figures.scenes), number(figures.boots), number(figures.steps), number(figures.sent), number(figures.sent_trusted),
              number(figures.sent_untrusted), number(figures.bracketed), number(figures.corrected), figures.corrected_worst_ms,
              number(figures.lied_to), number(figures.violations.size()));
  return figures.violations.empty() ? 0 : 1;
}
