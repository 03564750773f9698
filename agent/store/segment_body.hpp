// SPDX-License-Identifier: Apache-2.0
// The body of a segment before compression: series, times, samples, summaries, events, gaps, each as
// columns. Inside the room only; callers use segment.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "agent/store/segment.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// What is to be encoded, wherever it lies: the store's series stay in the process's table.
struct SegmentView {
  std::span<const Series* const> series;
  std::span<const Sample> samples;
  std::span<const Summary> summaries;
  std::span<const Event> events;
  std::span<const Gap> gaps;
};

/// As encode_segment() of segment.hpp.
Result<std::vector<std::byte>> encode_segment(const SegmentHeader& header, const SegmentView& content);

/// Errors: OutOfRange
Result<std::vector<std::byte>> write_body(BootTime first, const SegmentView& content);

/// Errors: Malformed
Result<SegmentContent> read_body(const SegmentHeader& header, std::span<const std::byte> body);

}  // namespace fieldpost
