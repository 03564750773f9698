// SPDX-License-Identifier: Apache-2.0
// An outbox in a directory of its own, and segments to put into it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/store/outbox_database.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

class OutboxTest : public testing::Test {
 protected:
  static constexpr const char* kBoot = "0123abcd-4567-89ab-cdef-0123456789ab";
  static constexpr Epoch kEpoch = 0xFEDC'BA98'7654'3210ULL;

  void SetUp() override {
    options_ = {.path = directory_.file("outbox.db"), .vfs = {}, .quota_bytes = 8 << 20};
    Series series;
    series.name = "node_thing_total";
    series_ = table_.add(series).value();
    open();
    ASSERT_TRUE(outbox_->begin_epoch(kEpoch, 0, {}, moment_));
  }

  void open() {
    outbox_.reset();
    auto opened = OutboxDatabase::open(options_, boots_, failures_, handed_out_);
    ASSERT_TRUE(opened) << opened.error().sentence();
    outbox_.emplace(std::move(*opened));
  }

  /// Numbered on from what the outbox has; noise makes them as long as they look.
  std::vector<EncodedSegment> segments(Lane lane, std::size_t samples = 10) {
    Batch batch;
    for (std::size_t i = 0; i < samples; ++i) {
      value_ = value_ * 6364136223846793005ULL + 1442695040888963407ULL;
      batch.add(Sample{series_, static_cast<std::int64_t>(value_), BootTime{milliseconds{static_cast<std::int64_t>(i)}}, Quality::good});
    }
    SegmentBuilder::Identity identity{.epoch = outbox_->epoch(), .seq = outbox_->newest_seq(), .boot = kBoot};
    Gap none;
    return builder_.build(lane, batch, identity, none);
  }

  Result<OutboxOutcome> apply(OutboxChange change) {
    std::optional<OutboxOutcome> in_doubt;
    return outbox_->apply(change, moment_, builder_, in_doubt);
  }

  OutboxOutcome insert(Lane lane, std::size_t samples = 10) {
    OutboxChange change;
    change.segments = segments(lane, samples);
    auto outcome = apply(std::move(change));
    EXPECT_TRUE(outcome) << outcome.error().sentence();
    return outcome.value_or(OutboxOutcome{});
  }

  std::vector<OutboxRow> rows(Lane lane) {
    dropped_ = {};
    return outbox_->fetch(lane, 0, 1'000'000, 64U << 20U, dropped_).value();
  }

  std::vector<Gap> reported() {
    std::vector<Gap> gaps;
    for (const OutboxRow& row : rows(Lane::event)) {
      const auto content = decode_segment_content(row.bytes);
      gaps.insert(gaps.end(), content->gaps.begin(), content->gaps.end());
    }
    return gaps;
  }

  TemporaryDirectory directory_;
  OutboxOptions options_;
  BootTable boots_;
  ReadFailures failures_;
  HandedOut handed_out_;
  SeriesTable table_;
  SeriesId series_{};
  SegmentBuilder builder_{table_, 120'000};
  OutboxMoment moment_{kBoot, BootTime{seconds{100}}};
  std::optional<OutboxDatabase> outbox_;
  std::array<std::uint64_t, kLanes.size()> dropped_{};
  std::uint64_t value_ = 1;
};

}  // namespace fieldpost
