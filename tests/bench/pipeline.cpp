// SPDX-License-Identifier: Apache-2.0
// What a sample costs between the source and the store: filter, aggregate and rules over 500 series
// with the policies a gateway would have. Prints nanoseconds and, where valgrind is installed,
// instructions per sample (two runs under callgrind; their difference leaves the start out).
//
//   pipeline_bench            the figures
//   pipeline_bench run N      N ticks of 500 samples, for callgrind and perf
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "agent/aggregate/aggregate.hpp"
#include "agent/filter/filter.hpp"
#include "agent/rules/rules.hpp"

namespace fieldpost {
namespace {

constexpr int kSeries = 500;
constexpr int kTicks = 20'000;  // five and a half hours at 1 s

struct Discard final : ReadingSink, EventSink {
  std::uint64_t samples = 0;
  std::uint64_t summaries = 0;
  std::uint64_t events = 0;
  void accept(const Sample&) override { ++samples; }
  void accept(const Summary&) override { ++summaries; }
  void accept(const Event&) override { ++events; }
};

/// A fifth counters in 60 s windows, of which half give a rate too; two fifths gauges in 60 s windows
/// with three quantiles; a fifth gauges behind a deadband; a fifth untouched.
class Pipeline {
 public:
  Pipeline() {
    for (int i = 0; i < kSeries; ++i) {
      Series series;
      const char* stem = i % 5 == 0 ? "bytes_total" : i % 5 <= 2 ? "windowed" : i % 5 == 3 ? "banded" : "plain";
      series.name = std::string{"bench_"} + stem;
      series.labels = {{"index", std::to_string(i)}};
      if (i % 5 == 0) series.kind = SeriesKind::counter;
      if (i % 5 == 1) series.valid_range = ValidRange{-1e9, 1e9};
      ids_.push_back(*series_.add(std::move(series)));
    }
  }

  void run(int ticks) {
    for (int tick = 0; tick < ticks; ++tick) {
      const BootTime now{std::chrono::seconds{tick}};
      for (std::size_t i = 0; i < ids_.size(); ++i) {
        const auto phase = static_cast<std::int64_t>(i) * 7919 + tick * 104729;
        const Value value = i % 5 == 0 ? Value{static_cast<std::int64_t>(tick) * 1000 + phase % 1000}
                                       : Value{static_cast<double>(phase % 997) / 10};
        filter_.accept({ids_[i], value, now});
      }
      aggregate_.advance(now);
      rules_.advance(now);
    }
  }

  void print() const {
    std::printf("  given %llu, derived %llu, withheld %llu; out: %llu samples, %llu summaries, %llu events\n",
                static_cast<unsigned long long>(filter_.counts().received - filter_.counts().derived),
                static_cast<unsigned long long>(filter_.counts().derived),
                static_cast<unsigned long long>(filter_.counts().deadband),
                static_cast<unsigned long long>(out_.samples),
                static_cast<unsigned long long>(out_.summaries),
                static_cast<unsigned long long>(out_.events));
  }

 private:
  static FilterOptions filter_policy(const Series& series) {
    FilterOptions options;
    if (series.name == "bench_banded") options.deadband = Deadband{5, 0, std::chrono::seconds{60}};
    if (series.kind == SeriesKind::counter && series.labels[0].value.back() == '0') {
      options.rate = FilterOptions::Rate::extra;
    }
    return options;
  }

  static AggregateOptions aggregate_policy(const Series& series) {
    AggregateOptions options;
    if (series.name == "bench_windowed") options.quantiles = {0.5, 0.95, 0.99};
    if (series.name == "bench_windowed" || series.name == "bench_bytes_total") {
      options.window = std::chrono::seconds{60};
    }
    return options;
  }

  static std::vector<RuleOptions> rules() {
    RuleOptions hot;
    hot.name = "hot";
    hot.metric = "bench_plain";
    hot.warn_above = 99;
    hot.critical_above = 200;
    hot.hysteresis = 2;
    hot.for_duration = std::chrono::seconds{10};
    RuleOptions high;
    high.name = "high";
    high.metric = "bench_windowed";
    high.statistic = RuleOptions::Statistic::p95;
    high.warn_above = 99;
    RuleOptions quiet;
    quiet.name = "quiet";
    quiet.metric = "bench_*";
    quiet.no_data_after = std::chrono::seconds{300};
    return {hot, high, quiet};
  }

  SeriesTable series_;
  std::vector<SeriesId> ids_;
  Discard out_;
  Rules rules_{series_, rules(), out_, out_};
  Aggregate aggregate_{series_, aggregate_policy, rules_};
  Filter filter_{series_, filter_policy, aggregate_};
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Instructions of `run ticks` under callgrind; NaN without valgrind.
double instructions(const std::string& self, int ticks) {
  const std::string command = "valgrind --tool=callgrind --callgrind-out-file=/dev/null '" + self +
                              "' run " + std::to_string(ticks) + " 2>&1";
  double collected = std::nan("");
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return collected;
  char line[512];
  while (std::fgets(line, sizeof line, pipe) != nullptr) {
    if (const char* word = std::strstr(line, "Collected :")) collected = std::atof(word + 11);
  }
  ::pclose(pipe);
  return collected;
}

int main_of_bench(const std::vector<std::string>& arguments) {
  if (arguments.size() == 3 && arguments[1] == "run") {
    Pipeline{}.run(std::atoi(arguments[2].c_str()));
    return 0;
  }
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    Pipeline pipeline;
    const double start = cpu_seconds();
    pipeline.run(kTicks);
    best = std::min(best, cpu_seconds() - start);
    if (round == 4) {
      std::printf("filter + aggregate + rules, %d series, %d ticks, best of 5:\n", kSeries, kTicks);
      pipeline.print();
    }
  }
  constexpr double kSamples = static_cast<double>(kSeries) * kTicks;
  std::printf("  %.1f ns of CPU per sample\n", best / kSamples * 1e9);

  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return 1;
  const std::string path{self, static_cast<std::size_t>(length)};
  const double some = instructions(path, 200);
  const double more = instructions(path, 800);
  if (std::isnan(some) || std::isnan(more)) {
    std::printf("  instructions: SKIPPED, valgrind is not installed or does not run this build\n");
    return 0;
  }
  std::printf("  %.0f instructions per sample (callgrind)\n", (more - some) / (600.0 * kSeries));
  return 0;
}

}  // namespace
}  // namespace fieldpost

int main(int count, char** words) {
  return fieldpost::main_of_bench({words, words + count});
}
