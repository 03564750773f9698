// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign faults`; faults.py starts one a core and adds up what they print.
#include "tests/campaigns/faults_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::FaultsBreak;
  using fieldpost::number_option;
  using fieldpost::text_option;
  // A trial takes milliseconds; one that takes so long hangs, on the busiest machine.
  constexpr unsigned kSecondsMax = 300;
  fieldpost::FaultsOptions options;
  if (!fieldpost::read_options(
          count, arguments, "faults",
          {number_option("--seed", options.seed), number_option("--count", options.count),
           number_option("--part", options.part), number_option("--parts", options.parts),
           text_option("--only", options.only),
           choice_option(
               "--break", options.broken,
               {{"early-promise", FaultsBreak::early_promise}, {"forgetful", FaultsBreak::forgetful}})}))
    return 2;
  options.told = fieldpost::print_as_told(kSecondsMax);
  const fieldpost::FaultsFigures figures = fieldpost::run_faults(options);
  return fieldpost::print_figures({{"calls_max", figures.calls},
                                   {"c_allocations_max", figures.c_allocations},
                                   {"allocations_max", figures.allocations},
                                   {"trials", figures.trials},
                                   {"failed_commits", figures.failed_commits},
                                   {"attempts_max", figures.attempts_max},
                                   {"checked_samples", figures.samples},
                                   {"lost_and_told", figures.lost_and_told},
                                   {"set_aside", figures.set_aside},
                                   {"deaths", figures.deaths},
                                   {"cuts", figures.cut}},
                                  figures.violations.size());
}
