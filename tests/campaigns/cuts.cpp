// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign cuts`; cuts.py starts some of them at once and adds up what they print.
#include "tests/campaigns/cuts_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::choice_option;
  using fieldpost::CutsBreak;
  using fieldpost::number_option;
  // A chain takes seconds, and some minutes where the quota is too small for what comes.
  constexpr unsigned kSecondsMax = 1'800;
  fieldpost::CutsOptions options;
  std::uint64_t lies_per_thousand = 0;
  if (!fieldpost::read_options(count, arguments, "cuts",
                               {number_option("--seed", options.seed), number_option("--count", options.cuts),
                                number_option("--chain", options.chain),
                                choice_option("--damage", options.damages, {{"0", false}, {"1", true}}),
                                number_option("--lies", lies_per_thousand),
                                choice_option("--break", options.broken,
                                              {{"no-sync", CutsBreak::no_sync},
                                               {"early-promise", CutsBreak::early_promise},
                                               {"early-delete", CutsBreak::early_delete},
                                               {"late-marks", CutsBreak::late_marks},
                                               {"forgets-handed-out", CutsBreak::forgets_handed_out}})}))
    return 2;
  options.lies_per_thousand = static_cast<unsigned>(lies_per_thousand);
  options.told = fieldpost::print_as_told(kSecondsMax);
  const fieldpost::CutsFigures figures = fieldpost::run_cuts(options);
  return fieldpost::print_figures({{"cuts", figures.cuts},
                                   {"lives", figures.lives},
                                   {"commits", figures.commits},
                                   {"samples_durable", figures.samples},
                                   {"acknowledged", figures.acknowledged},
                                   {"dropped_and_told", figures.dropped},
                                   {"lost", figures.lost},
                                   {"lost_and_told", figures.lost_told},
                                   {"reused_numbers", figures.reused},
                                   {"handed_out", figures.handed_out},
                                   {"salvaged", figures.salvaged},
                                   {"merged", figures.merged},
                                   {"thinned", figures.thinned},
                                   {"set_aside", figures.set_aside},
                                   {"new_epochs", figures.epochs},
                                   {"lies", figures.lies}},
                                  figures.violations.size());
}
