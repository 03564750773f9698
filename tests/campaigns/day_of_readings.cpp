// SPDX-License-Identifier: Apache-2.0
// day_of_readings STATE_DIRECTORY HOURS SERIES INTERVAL_SECONDS: makes the outbox of a device that has had no network for so long, by the
// store itself under a clock of its own, an earlier boot. Prints readings=N. links.py lets an agent drain it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "agent/store/store.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

int main(int count, char** words) {
  using namespace fieldpost;
  if (count != 5) {
    std::fprintf(stderr, "usage: day_of_readings STATE_DIRECTORY HOURS SERIES INTERVAL_SECONDS\n");
    return 2;
  }
  const std::chrono::hours time{std::atoi(words[2])};
  const int series_count = std::atoi(words[3]);
  const seconds interval{std::atoi(words[4])};
  if (time.count() < 1 || series_count < 1 || interval.count() < 1) return 2;

  std::filesystem::create_directories(words[1]);
  // That boot was over before this one began: else the agent would take the wall clock for late.
  timespec up{};
  ::clock_gettime(CLOCK_BOOTTIME, &up);
  const auto ended = std::chrono::time_point_cast<nanoseconds>(std::chrono::system_clock::now()) - seconds{up.tv_sec} - seconds{60};
  ManualClock clock;
  clock.set_utc({ended - time, true, milliseconds{1}, clock.now()});
  ManualEventLoop loop{clock};
  CollectingLog log{clock, LogLevel::warn};
  SeriesTable table;
  std::vector<SeriesId> ids;
  for (int i = 0; i < series_count; ++i) {
    Series series;
    series.name = "fieldpost_history_value";
    series.labels = {{"index", std::to_string(i)}};
    ids.push_back(table.add(series).value());
  }
  StoreOptions options;
  options.directory = words[1];
  options.flush_interval = seconds{60};
  options.age_max = seconds{0};
  Store store{loop, log.log(), table, options};

  std::minstd_rand chance{1};
  std::uniform_int_distribution<int> step{-20, 20};
  std::vector<int> hundredths(ids.size(), 2'000);
  unsigned long long readings = 0;
  BootTime flush_due = clock.now() + options.flush_interval;
  for (nanoseconds passed{}; passed < time; passed += interval) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      hundredths[i] += step(chance);
      store.add(Lane::live, Sample{ids[i], hundredths[i] / 100.0, clock.now()});
      ++readings;
    }
    loop.advance(interval);
    if (clock.now() < flush_due) continue;
    flush_due += options.flush_interval;
    bool durable = false;
    store.flush([&durable](const Result<void>& result) { durable = result.has_value(); });
    if (!loop.run_until([&durable] { return durable; })) return 1;
  }
  store.close();
  const StoreStatus status = store.status();
  for (const auto& line : log.lines()) std::fprintf(stderr, "%s\n", line.text.c_str());
  std::printf("readings=%llu segments=%llu merged=%llu\n", readings, static_cast<unsigned long long>(status.waiting_segments[static_cast<std::size_t>(Lane::live)]),
              static_cast<unsigned long long>(status.merged_segments));
  return status.waiting_readings[static_cast<std::size_t>(Lane::live)] == readings ? 0 : 1;
}
