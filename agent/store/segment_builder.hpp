// SPDX-License-Identifier: Apache-2.0
// Cuts what a lane took into segments that fit into one message each, and encodes them. Runs on the
// worker; the table of series may be read from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "agent/store/batch.hpp"
#include "agent/store/segment.hpp"
#include "hal/series.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct EncodedSegment {
  SegmentHeader header;
  std::vector<std::byte> bytes;
};

class SegmentBuilder {
 public:
  /// `table` is lent and outlives it.
  SegmentBuilder(const SeriesTable& table, std::size_t message_bytes_max)
      : table_{table}, message_bytes_max_{message_bytes_max} {}

  /// Who the segments are of; `seq` is counted up by one for each of them.
  struct Identity {
    Epoch epoch = 0;
    std::uint64_t seq = 0;  ///< the newest that is taken
    BootId boot;
    std::uint64_t first_seq = 0;  ///< as in the header, for what is made of other segments
    bool is_thinned = false;
  };

  /// The segments of a lane's batch. What is too long for one message is cut between series, so that none is
  /// named twice; only what one series has too much of is cut by time. Each series keeps its order. A reading
  /// that no message can hold (a series with kilobytes of labels) is left out and counted in `oversize`;
  /// nothing else ever is.
  std::vector<EncodedSegment> build(Lane lane, const Batch& batch, Identity& identity, Gap& oversize) const;

  /// One segment with nothing but gaps.
  Result<EncodedSegment> build(std::span<const Gap> gaps, Identity& identity, BootTime now) const;

 private:
  struct Slice;
  void build_slice(Lane lane, const Slice& slice, Identity& identity, Gap& oversize,
                   std::vector<EncodedSegment>& segments) const;
  std::vector<Slice> cut(const Slice& slice, std::size_t parts) const;

  const SeriesTable& table_;
  std::size_t message_bytes_max_;
};

}  // namespace fieldpost
