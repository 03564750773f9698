// SPDX-License-Identifier: Apache-2.0
// Prints what the drivers read below a root, as node_exporter would: for the comparison with it.
//
//     hal_survey ROOT [DRIVER...]      the drivers that are on by default, and those named
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "hal/exposition.hpp"
#include "hal/survey.hpp"

int main(int argument_count, char** arguments) {
  if (argument_count < 2) {
    std::fputs("usage: hal_survey ROOT [DRIVER...]\n", stderr);
    return 2;
  }
  std::vector<fieldpost::Driver> drivers{fieldpost::driver_table().begin(), fieldpost::driver_table().end()};
  for (int i = 2; i < argument_count; ++i) {
    const auto named = std::ranges::find(drivers, std::string_view{arguments[i]}, &fieldpost::Driver::name);
    if (named == drivers.end()) {
      std::fprintf(stderr, "hal_survey: no driver %s\n", arguments[i]);
      return 2;
    }
    named->on_by_default = true;
  }
  const fieldpost::FileTree tree{arguments[1]};
  const fieldpost::SystemClock clock;
  const fieldpost::Survey survey = fieldpost::survey(tree, drivers, clock.now());
  for (const auto& source : survey.sources) {
    if (!source.absent) continue;
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(source.driver->name.size()),
                 source.driver->name.data(), source.absent->sentence().c_str());
  }
  const std::string text = to_prometheus_text(*survey.series, survey.samples());
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}
