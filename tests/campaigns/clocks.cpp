// SPDX-License-Identifier: Apache-2.0
// The in-process part of `./dev campaign clocks`; clocks.py starts some of them at once and adds up what they
// print.
#include <cmath>

#include "tests/campaigns/clocks_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::ClocksBreak;
  using fieldpost::number_option;
  // A scene takes milliseconds.
  constexpr unsigned kSecondsMax = 300;
  fieldpost::ClocksOptions options;
  if (!fieldpost::read_options(
          count, arguments, "clocks",
          {number_option("--seed", options.seed), number_option("--count", options.scenes),
           choice_option("--break", options.broken,
                         {{"believe", ClocksBreak::believe},
                          {"stamp-at-once", ClocksBreak::stamp_at_once},
                          {"no-drift", ClocksBreak::no_drift},
                          {"forget-floor", ClocksBreak::forget_floor}})}))
    return 2;
  options.told = fieldpost::print_as_told(kSecondsMax);
  const fieldpost::ClocksFigures figures = fieldpost::run_clocks(options);
  return fieldpost::print_figures(
      {{"scenes", figures.scenes},
       {"boots", figures.boots},
       {"steps", figures.steps},
       {"readings_sent", figures.sent},
       {"trusted", figures.sent_trusted},
       {"untrusted", figures.sent_untrusted},
       {"bracketed", figures.bracketed},
       {"corrected", figures.corrected},
       {"corrected_worst_ms", static_cast<std::uint64_t>(std::llround(figures.corrected_worst_ms))},
       {"sent_while_ntp_lied", figures.lied_to}},
      figures.violations.size());
}
