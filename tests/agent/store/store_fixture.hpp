// SPDX-License-Identifier: Apache-2.0
// A store on a directory of its own, driven by a loop that is moved by hand.
#pragma once

#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/store/store.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

template <typename Numbers>
std::uint64_t sum(const Numbers& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
}

class StoreTest : public testing::Test {
 protected:
  static constexpr int kSeries = 20;

  void SetUp() override {
    options_.directory = directory_.file("state");
    options_.quota_bytes = 8 << 20;
    for (int i = 0; i < kSeries; ++i) {
      Series series;
      series.name = "node_thing_" + std::to_string(i) + "_total";
      series.labels = {{"device", "eth0"}};
      series.kind = SeriesKind::counter;
      ids_.push_back(table_.add(series).value());
    }
  }

  void open(StoreGround ground = {}) {
    store_.emplace(loop_, log_.log(), table_, options_, std::move(ground));
  }

  void reopen() {
    store_->close();
    open();
  }

  /// One sample of every series, with values that are not used twice.
  void add_samples(Lane lane = Lane::live) {
    for (const SeriesId id : ids_) {
      store_->add(lane, Sample{id, ++value_, clock_.now(), Quality::good});
      ++added_;
    }
    clock_.advance(seconds{1});
  }

  /// As add_samples(), of values that no encoding makes short.
  void add_noise(Lane lane) {
    for (const SeriesId id : ids_) {
      value_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(value_) * 6364136223846793005ULL + 1442695040888963407ULL);
      store_->add(lane, Sample{id, value_, clock_.now(), Quality::good});
      ++added_;
    }
    clock_.advance(seconds{1});
  }

  std::int64_t file_bytes(std::string_view name) const { return static_cast<std::int64_t>(directory_.read(name).size()); }

  /// Until the readings are durable, or the disk has refused them.
  Result<void> flush() {
    std::optional<Result<void>> result;
    store_->flush([&result](const Result<void>& done) { result = done; });
    EXPECT_TRUE(loop_.run_until([&result] { return result.has_value(); }));
    return result.value_or(Error{ErrorKind::Timeout, "flush() never ended"});
  }

  std::vector<OutgoingSegment> fetch(Lane lane, std::int64_t after = 0, std::size_t count = 1'000, std::size_t bytes_max = 64U << 20U) {
    std::optional<std::vector<OutgoingSegment>> found;
    store_->fetch(lane, after, count, bytes_max, [&found](std::vector<OutgoingSegment> segments) { found = std::move(segments); });
    EXPECT_TRUE(loop_.run_until([&found] { return found.has_value(); }));
    return found.value_or(std::vector<OutgoingSegment>{});
  }

  std::vector<OutgoingSegment> fetch_all() {
    std::vector<OutgoingSegment> all;
    for (const Lane lane : kLanes) {
      for (auto& segment : fetch(lane)) all.push_back(std::move(segment));
    }
    return all;
  }

  /// What was added and has an end is so far acknowledged, waits, was dropped, or is in memory.
  std::uint64_t accounted_for() const {
    const StoreStatus status = store_->status();
    return status.acknowledged_readings + sum(status.waiting_readings) + sum(status.dropped_readings) + status.memory_readings;
  }

  static std::vector<Gap> gaps_of(const std::vector<OutgoingSegment>& segments) {
    std::vector<Gap> gaps;
    for (const auto& segment : segments) {
      const auto content = decode_segment_content(segment.bytes);
      gaps.insert(gaps.end(), content->gaps.begin(), content->gaps.end());
    }
    return gaps;
  }

  static std::uint64_t readings_of(const std::vector<Gap>& gaps) {
    std::uint64_t readings = 0;
    for (const Gap& gap : gaps) readings += gap.readings;
    return readings;
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  SeriesTable table_;
  std::vector<SeriesId> ids_;
  StoreOptions options_;
  std::optional<Store> store_;
  std::int64_t value_ = 0;
  std::uint64_t added_ = 0;
};

}  // namespace fieldpost
