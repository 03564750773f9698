// SPDX-License-Identifier: Apache-2.0
// The unit of the store: everything one lane took in one flush, as one row, one message and one
// acknowledgement. Columns (times, integers, floats) are packed and compressed; the header in front
// bears what a consumer needs to tell a duplicate, and a CRC-32C over all of it. The bytes are
// described in agent/store/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/aggregate/reading.hpp"
#include "agent/store/lane.hpp"
#include "hal/event.hpp"
#include "hal/sample.hpp"
#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Random name of one life of the outbox; a lost or restored database starts a new one.
using Epoch = std::uint64_t;

// Bounds of the format. A content beyond them is refused by encode_segment() and split by the store.
inline constexpr std::size_t kSegmentHeaderBytes = 84;  ///< of version 1; version 2 has first_seq behind it
inline constexpr std::size_t kSegmentHeaderBytesMax = 110;
/// By version: 0 is none. Version 3 is a part of what was thinned into several.
inline constexpr std::array<std::size_t, 4> kSegmentHeaderBytesOf{0, kSegmentHeaderBytes, 92, kSegmentHeaderBytesMax};
inline constexpr std::uint8_t kSegmentPartsMax = 64;
inline constexpr std::size_t kSegmentBytesMax = 4U << 20U;  ///< header and stored body
inline constexpr std::size_t kSegmentBodyBytesMax = 16U << 20U;  ///< before compression
inline constexpr std::size_t kSegmentSamplesMax = 131'072;
inline constexpr std::size_t kSegmentSummariesMax = 32'768;
inline constexpr std::size_t kSegmentEventsMax = 4'096;
inline constexpr std::size_t kSegmentGapsMax = 4'096;
inline constexpr std::size_t kSummaryQuantilesMax = 64;
/// Of an event's name and message each.
inline constexpr std::size_t kEventTextBytesMax = 4'096;

/// 16 lower-case hexadecimal digits.
std::string to_text(Epoch epoch);

/// Where a segment bears its boot id, as 16 bytes; and the text of such bytes (empty, if they are not 16).
inline constexpr std::size_t kSegmentBootAt = 68;
inline constexpr std::size_t kSegmentBootBytes = 16;
BootId boot_id_of(std::span<const std::byte> bytes);

/// Readings that will not arrive: what, when, how many (promise P2).
struct Gap {
  enum class Cause : std::uint8_t {
    quota, age, damage, memory, oversize, refused,
    thinned,  ///< they arrive, but as summaries: in the messages from first_seq to last_seq that call themselves thinned
  };
  Cause cause{};
  Lane lane{};
  std::uint64_t readings = 0;
  /// The epoch that the sequence numbers belong to; 0 if there are none.
  Epoch epoch = 0;
  /// Sequence numbers of this lane from first to last will never be sent, where whole segments went;
  /// 0, 0 if none had one yet. (Numbers between them that belong to other lanes are not meant.)
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  /// The boot that first and last belong to; empty, 0 and 0 where the damage took the times too, or
  /// where more than one boot is meant.
  BootId boot{};
  BootTime first{};
  BootTime last{};
};

std::string_view to_string(Gap::Cause cause) noexcept;

struct SegmentHeader {
  Epoch epoch = 0;
  std::uint64_t seq = 0;  ///< counts from 1 within an epoch, over all lanes, without holes
  /// A segment made of several takes the place of all numbers of its lane from this one to seq, none of which was ever
  /// handed out. Else it is seq; a 0 given to encode_segment() means that, too.
  std::uint64_t first_seq = 0;
  bool is_thinned = false;  ///< its summaries were made of samples for want of room; a gap tells of how many
  /// What was thinned into several shares its readings among them all, while each names only some of the numbers. So each says
  /// which one it is, and which numbers of its lane they stand for together. `of` is 0 where one stands for all.
  struct Part {
    std::uint64_t first_seq = 0;
    std::uint64_t last_seq = 0;
    std::uint8_t number = 0;  ///< from 1
    std::uint8_t of = 0;
    friend bool operator==(const Part&, const Part&) = default;
  };
  Part part;
  Lane lane{};
  BootId boot;     ///< 36 characters, as the kernel writes it
  BootTime first;  ///< time of the earliest reading; of a summary, its start
  BootTime last;   ///< time of the latest; of a summary, its end
  std::uint32_t samples = 0;
  std::uint32_t summaries = 0;
  std::uint32_t events = 0;
  std::uint32_t gaps = 0;

  std::uint32_t readings() const noexcept { return samples + summaries + events; }
};

/// A segment's content with its own, self-contained series: SeriesId counts into `series` here,
/// not into the process's table. Series bear name, labels, unit and kind; help, valid_range and
/// wraps_at are not kept.
struct SegmentContent {
  std::vector<Series> series;
  std::vector<Sample> samples;  ///< ordered by series, then time
  std::vector<Summary> summaries;
  std::vector<Event> events;
  std::vector<Gap> gaps;
};

/// The header's counts must be the content's. Quality good, times and every bit of a value come back.
/// Errors: OutOfRange when a bound of the format is passed; Bug when header and content do not match,
///         a series index is wrong or samples are not ordered by series
Result<std::vector<std::byte>> encode_segment(const SegmentHeader& header,
                                              const SegmentContent& content);

/// Gives a segment of version 2 other numbers, and makes it a part if `part` is one (then it is of version 3).
void renumber_segment(std::vector<std::byte>& bytes, SegmentHeader& header, std::uint64_t first_seq, std::uint64_t seq, const SegmentHeader::Part& part);

/// Checks the CRC first, then every length before it is believed.
/// Errors: Malformed
Result<SegmentHeader> decode_segment_header(std::span<const std::byte> bytes);
Result<SegmentContent> decode_segment_content(std::span<const std::byte> bytes);

}  // namespace fieldpost
