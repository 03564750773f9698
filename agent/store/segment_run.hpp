// SPDX-License-Identifier: Apache-2.0
// Several segments of one lane and boot, one after the other, become fewer: merged as they are, or thinned to summaries of a
// coarser window. Inside the room only.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "agent/aggregate/aggregate.hpp"
#include "agent/store/batch.hpp"
#include "agent/store/message_size.hpp"
#include "agent/store/segment_builder.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class SegmentRun {
 public:
  // Bounds of the memory that a run takes: a megabyte or two.
  static constexpr std::size_t kSamplesMax = 32'768;
  static constexpr std::size_t kSummariesMax = 4'096;

  /// `thin_window`: samples become summaries of windows so long, at whole multiples of it; nothing: they stay samples.
  SegmentRun(std::size_t message_bytes_max, std::optional<nanoseconds> thin_window);
  SegmentRun(const SegmentRun&) = delete;
  SegmentRun& operator=(const SegmentRun&) = delete;

  /// False if it has no room with those before, or a series of it has another unit or kind now; the run is as it was. The
  /// first always finds room, unless two of its series differ in nothing but that.
  /// Errors: Malformed (its CRC is wrong, or it cannot be decoded), and the run is as it was
  Result<bool> add(std::span<const std::byte> segment);

  /// In the bytes of a message, about: full at message_bytes_max.
  bool is_full() const noexcept { return message_bytes_ >= full_at_; }

  /// All of it, numbered from 2 on, which the caller replaces. Ends the run.
  std::vector<EncodedSegment> build(Lane lane, Epoch epoch, const BootId& boot, Gap& oversize);

  /// How many samples became summaries; those that are no number, or come too late for their window, stay samples.
  std::uint64_t thinned() const noexcept { return thinned_; }

 private:
  /// What the aggregation gives out, into the batch.
  struct Sink final : ReadingSink {
    explicit Sink(Batch& given) : batch{given} {}
    void accept(const Sample& sample) override { batch.add(sample); }
    void accept(const Summary& summary) override {
      // A segment does not say where a counter wraps; so what looks like a new start tells no increase.
      Summary cautious = summary;
      if (cautious.resets > 0) cautious.increase.reset();
      batch.add(cautious);
    }
    Batch& batch;
  };

  void add(const Sample& sample);
  std::optional<std::vector<SeriesId>> places_of(const std::vector<Series>& series);

  SeriesTable table_;
  Batch batch_;
  Sink sink_{batch_};
  std::optional<Aggregate> windows_;
  std::size_t message_bytes_max_;
  std::size_t full_at_;
  std::size_t message_bytes_ = kMessageFrameBytes;
  std::size_t series_weighed_ = 0;
  std::uint64_t thinned_ = 0;
  bool is_empty_ = true;
};

}  // namespace fieldpost
