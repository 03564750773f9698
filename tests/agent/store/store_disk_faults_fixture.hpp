// SPDX-License-Identifier: Apache-2.0
// The store's worker side on a disk in memory that can be made to fail, with five segments in it.
#pragma once

#include <algorithm>
#include <bit>
#include <memory>
#include <set>

#include <gtest/gtest.h>

#include "agent/store/store_disk.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/crash_file_layer.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {

inline constexpr const char* kBoot = "00000000-0000-4000-8000-000000000001";
inline constexpr std::uint64_t kSamples = 600;

class StoreDiskFaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    CrashFileLayer::mount(&disk_, 1);
    options_.directory = CrashFileLayer::kDirectory;
    options_.quota_bytes = 8 << 20;
    options_.age_max = seconds{0};
    Series series;
    series.name = "node_thing_total";
    series_ = table_.add(series).value();
    start();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(commit(with_samples()).result);
    all_ = fetch(Lane::bulk);
    ASSERT_EQ(all_.size(), 5U);
    stop();
  }

  void TearDown() override {
    store_.reset();
    CrashFileLayer::mount(nullptr, 0);
  }

  void start(StoreGround ground = {}) { store_ = std::make_unique<StoreDisk>(options_, std::move(ground), log_.log(), table_); }
  void stop() {
    store_->close();
    store_.reset();
  }

  /// Noise, so that a segment has pages of its own.
  DiskWork with_samples(Lane lane = Lane::bulk) {
    DiskWork work;
    for (std::uint64_t i = 0; i < kSamples; ++i) {
      value_ = value_ * 6364136223846793005ULL + 1442695040888963407ULL;
      work.batches[index(lane)].add(Sample{series_, std::bit_cast<std::int64_t>(value_), BootTime{milliseconds{static_cast<std::int64_t>(i)}}, Quality::good});
    }
    return work;
  }

  DiskWork commit(DiskWork work = {}) {
    work.moment = {boot_, BootTime{seconds{100}}};
    work.utc = UtcTime{seconds{1'800'000'000}};
    work.boots = {{.boot = boot_, .offset = seconds{5}, .error_bound = seconds{1}, .source = BootRow::Source::kernel, .seen = BootTime{seconds{100}}}};
    store_->commit(work);
    for (const Event& event : work.events) events_.insert(event.name);
    work.events.clear();
    return work;
  }

  /// Commits until one succeeds; how many that took.
  int commits_until_done(DiskWork work, int most = 20) {
    for (int count = 1; count <= most; ++count) {
      work = commit(std::move(work));
      if (work.result) return count;
    }
    return most + 1;
  }

  std::vector<OutboxRow> fetch(Lane lane, std::int64_t after = 0, std::size_t count = 16) {
    return store_->fetch(lane, after, count, 64U << 20U, dropped_);
  }

  /// A page of the outbox that holds nothing but this body.
  void make_unreadable(const OutboxRow& row) {
    const CrashDisk::Inode file = disk_.find("outbox.db");
    const auto content = disk_.content(file);
    const auto piece = std::span{row.bytes}.subspan(row.bytes.size() / 2, 16);
    const auto at = std::search(content.begin(), content.end(), piece.begin(), piece.end());
    ASSERT_NE(at, content.end());
    const auto place = static_cast<std::size_t>(at - content.begin());
    disk_.fail_reads(file, place, place + 1);
  }

  /// SQLite has none of it, and salvage all.
  static void spoil(CrashDisk& disk) {
    for (std::size_t at = 16; at < 24; ++at) disk.damage("outbox.db", at, std::byte{'x'});
  }

  void salvage() {
    for (int steps = 0; store_->figures().is_salvaging; ++steps) {
      ASSERT_LT(steps, 1'000);
      if (store_->figures().salvage_rests) {
        ASSERT_TRUE(commit().result);
      }
      store_->tidy();
    }
  }

  std::uint64_t readings(Lane lane) {
    std::uint64_t readings = 0;
    for (const OutboxRow& row : fetch(lane, 0, 100)) readings += row.header.readings();
    return readings;
  }

  std::uint64_t readings_told() {
    std::uint64_t readings = 0;
    for (const OutboxRow& row : fetch(Lane::event)) {
      const auto content = decode_segment_content(row.bytes);
      for (const Gap& gap : content->gaps) {
        EXPECT_EQ(gap.cause, Gap::Cause::damage);
        readings += gap.readings;
      }
    }
    return readings;
  }

  CrashDisk disk_;
  ManualClock clock_;
  CollectingLog log_{clock_};
  SeriesTable table_;
  SeriesId series_{};
  StoreOptions options_;
  std::string boot_ = kBoot;
  std::unique_ptr<StoreDisk> store_;
  std::vector<OutboxRow> all_;
  std::array<std::uint64_t, kLanes.size()> dropped_{};
  std::multiset<std::string> events_;
  std::uint64_t value_ = 1;
};

}  // namespace fieldpost
