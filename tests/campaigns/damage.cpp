// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign damage`; damage.py starts one a core and adds up what they print.
#include <cstdio>

#include "tests/campaigns/damage_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::choice_option;
  using fieldpost::DamageBreak;
  using fieldpost::number_option;
  using fieldpost::text_option;
  // A trial takes milliseconds; one that takes so long hangs, on the busiest machine.
  constexpr unsigned kSecondsMax = 300;
  fieldpost::DamageOptions options;
  if (!fieldpost::read_options(
          count, arguments, "damage",
          {number_option("--seed", options.seed), number_option("--count", options.count),
           number_option("--part", options.part), number_option("--parts", options.parts),
           choice_option("--written-back", options.is_written_back, {{"0", false}, {"1", true}}),
           text_option("--only", options.only),
           choice_option("--break", options.broken,
                         {{"no-crc", DamageBreak::no_crc},
                          {"no-marks", DamageBreak::no_marks},
                          {"no-gaps", DamageBreak::no_gaps},
                          {"half-salvaged", DamageBreak::half_salvaged}})}))
    return 2;
  options.told = fieldpost::print_as_told(kSecondsMax);
  const fieldpost::DamageFigures figures = fieldpost::run_damage(options);
  for (const auto& [place, untold] : figures.untold_by_place) {
    std::printf("untold: %s: %llu readings in %llu trials, first %s\n", place.c_str(),
                static_cast<unsigned long long>(untold.readings),
                static_cast<unsigned long long>(untold.trials), untold.first.c_str());
  }
  return fieldpost::print_figures({{"trials", figures.trials},
                                   {"bytes_max", figures.bytes},
                                   {"start_calls_max", figures.calls_max},
                                   {"start_cpu_us_max", figures.cpu_max_us},
                                   {"attempts_max", figures.attempts_max},
                                   {"set_aside", figures.set_aside},
                                   {"salvaged", figures.salvaged},
                                   {"new_epochs", figures.new_epochs},
                                   {"checked_samples", figures.handed_out},
                                   {"lost", figures.lost},
                                   {"lost_told_without_number", figures.unnamed},
                                   {"lost_untold", figures.untold},
                                   {"dropped_before_and_report_lost", figures.reports_lost},
                                   {"miscounted", figures.miscounted},
                                   {"sent_again", figures.returned}},
                                  figures.violations.size());
}
