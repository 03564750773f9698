// SPDX-License-Identifier: Apache-2.0
// The program of `./dev campaign cuts`; cuts.py starts some of them at once and adds up what they print.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "tests/campaigns/cuts_campaign.hpp"

int main(int count, char** arguments) {
  using fieldpost::CutsBreak;
  const std::map<std::string_view, CutsBreak> breaks{{"nothing", CutsBreak::nothing}, {"no-sync", CutsBreak::no_sync},
                                                     {"early-promise", CutsBreak::early_promise}, {"early-delete", CutsBreak::early_delete},
                                                     {"late-marks", CutsBreak::late_marks}, {"forgets-handed-out", CutsBreak::forgets_handed_out}};
  fieldpost::CutsOptions options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view key{arguments[i]};
    const char* const value = arguments[i + 1];
    if (key == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (key == "--count") {
      options.cuts = std::strtoull(value, nullptr, 10);
    } else if (key == "--chain") {
      options.chain = std::strtoull(value, nullptr, 10);
    } else if (key == "--damage") {
      options.damages = std::string_view{value} != "0";
    } else if (key == "--lies") {
      options.lies_per_thousand = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    } else if (const auto broken = breaks.find(value); key == "--break" && broken != breaks.end()) {
      options.broken = broken->second;
    } else {
      std::fprintf(stderr, "usage: cuts [--seed N] [--count N] [--chain N] [--damage 0|1] [--lies PER_THOUSAND] [--break no-sync|early-promise|early-delete|late-marks|forgets-handed-out]\n");
      return 2;
    }
  }
  const fieldpost::CutsFigures figures = fieldpost::run_cuts(options);
  for (const std::string& violation : figures.violations) std::printf("violation: %s\n", violation.c_str());
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("cuts=%llu lives=%llu commits=%llu samples_durable=%llu acknowledged=%llu dropped_and_told=%llu lost=%llu lost_and_told=%llu "
              "reused_numbers=%llu handed_out=%llu merged=%llu thinned=%llu set_aside=%llu new_epochs=%llu lies=%llu violations=%llu\n",
              number(figures.cuts), number(figures.lives), number(figures.commits), number(figures.samples), number(figures.acknowledged),
              number(figures.dropped), number(figures.lost), number(figures.lost_told), number(figures.reused), number(figures.handed_out), number(figures.merged), number(figures.thinned), number(figures.set_aside),
              number(figures.epochs), number(figures.lies), number(figures.violations.size()));
  return figures.violations.empty() ? 0 : 1;
}
