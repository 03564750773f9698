// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/feed.hpp"

#include <string>
#include <utility>

namespace fieldpost {

Feed::Feed(SeriesTable& table, double changing) : changing_{changing} {
  for (int i = 0; i < kSeries; ++i) {
    Series series;
    const bool is_counter = i < 350;
    series.name = is_counter ? "node_network_" + std::to_string(i / 10) + "_bytes_total" : "node_hwmon_temp_" + std::to_string(i / 5) + "_celsius";
    series.labels = {{"device", "eth" + std::to_string(i % 10)}};
    series.unit = is_counter ? "bytes" : "celsius";
    series.kind = is_counter ? SeriesKind::counter : SeriesKind::gauge;
    ids_[i] = table.add(std::move(series)).value();
    counters_[i] = static_cast<std::int64_t>(chance_() % 4'000'000'000);
    sensors_[i] = 2'000 + static_cast<int>(chance_() % 4'000);
  }
}

void Feed::tick(BootTime now, const std::function<void(const Sample&, bool changed)>& take) {
  for (int i = 0; i < kSeries; ++i) {
    const BootTime at = now + std::chrono::milliseconds{i / 50};  // one read time per 50 series
    const bool changes = std::uniform_real_distribution<>{}(chance_) < changing_;
    if (changes) {
      const bool is_idle = i % 5 < 2;
      counters_[i] += is_idle ? static_cast<std::int64_t>(chance_() % 8) + 1 : static_cast<std::int64_t>(chance_() % 150'000) + 1;
      sensors_[i] += static_cast<int>(chance_() % 21) - 10;
    }
    Value value{counters_[i]};
    if (i >= 350 && i < 450) value = sensors_[i] / 100.0;
    if (i >= 450) value = sensors_[i];
    take({ids_[i], value, at, Quality::good}, changes);
  }
}

}  // namespace fieldpost
