// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/program.hpp"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace fieldpost {
namespace {

constexpr std::chrono::seconds kProgressEvery{5};

// For the handler of signals, which may use nothing else.
char trial_under_way[200] = "no trial";

void tell_crash(int number) {
  constexpr std::string_view kStart = "violation: ended by a signal in ";
  static_cast<void>(!::write(STDOUT_FILENO, kStart.data(), kStart.size()));
  static_cast<void>(!::write(STDOUT_FILENO, trial_under_way, std::strlen(trial_under_way)));
  static_cast<void>(!::write(STDOUT_FILENO, "\n", 1));
  ::_exit(128 + number);
}

}  // namespace

CampaignOption number_option(std::string_view name, std::uint64_t& target) {
  return {name, "N", [&target](std::string_view value) {
            const char* const end = value.data() + value.size();
            const auto [rest, error] = std::from_chars(value.data(), end, target);
            return error == std::errc{} && rest == end;
          }};
}

CampaignOption text_option(std::string_view name, std::string& target) {
  return {name, "TEXT", [&target](std::string_view value) {
            target = value;
            return true;
          }};
}

bool read_options(int count, char** arguments, std::string_view program,
                  const std::vector<CampaignOption>& options) {
  const auto take = [&](std::string_view name, std::string_view value) {
    for (const CampaignOption& option : options) {
      if (option.name == name) return option.take(value);
    }
    return false;
  };
  bool is_understood = true;
  for (int i = 1; i < count && is_understood; i += 2)
    is_understood = i + 1 < count && take(arguments[i], arguments[i + 1]);
  if (is_understood) return true;
  std::string usage = "usage: " + std::string{program};
  for (const CampaignOption& option : options)
    usage += " [" + std::string{option.name} + " " + option.values + "]";
  std::fprintf(stderr, "%s\n", usage.c_str());
  return false;
}

Told print_as_told(unsigned seconds_max) {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    struct sigaction action {};
    action.sa_handler = tell_crash;
    ::sigaction(number, &action, nullptr);
  }
  Told told;
  told.violation = [](const std::string& what) {
    std::printf("violation: %s\n", what.c_str());
    std::fflush(stdout);
  };
  told.trial = [seconds_max, last = std::chrono::steady_clock::now()](
                   const std::string& name, std::uint64_t done, std::uint64_t total) mutable {
    std::snprintf(trial_under_way, sizeof trial_under_way, "%s", name.c_str());
    ::alarm(seconds_max);
    const auto now = std::chrono::steady_clock::now();
    if (now - last < kProgressEvery) return;
    last = now;
    std::printf("progress: %llu/%llu\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(total));
    std::fflush(stdout);
  };
  return told;
}

int print_figures(std::initializer_list<std::pair<std::string_view, std::uint64_t>> figures,
                  std::size_t violations) {
  ::alarm(0);
  for (const auto& [name, value] : figures)
    std::printf("%.*s=%llu ", static_cast<int>(name.size()), name.data(),
                static_cast<unsigned long long>(value));
  std::printf("violations=%zu\n", violations);
  return violations == 0 ? 0 : 1;
}

}  // namespace fieldpost
