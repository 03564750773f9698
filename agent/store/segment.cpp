// SPDX-License-Identifier: Apache-2.0
// The header of a segment, its CRC, and the compression of its body. Layout: agent/store/README.md.
#include "agent/store/segment.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "agent/store/compression.hpp"
#include "agent/store/segment_body.hpp"
#include "platform/crc32c.hpp"

namespace fieldpost {
namespace {

constexpr std::uint32_t kMagic = 0x47535046;  // "FPSG"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kVersionMerged = 2;  // what bears more than its own number
constexpr std::uint8_t kVersionPart = 3;
constexpr std::uint8_t kThinned = 1;        // flag
constexpr std::uint8_t kStored = 0;
constexpr std::uint8_t kZstd = 1;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kCrcAt = 8;
constexpr std::size_t kCrcBytes = 4;
constexpr std::size_t kSeqAt = 28;
constexpr std::size_t kFirstSeqAt = 84;
constexpr std::size_t kPartAt = 92;
constexpr std::size_t kBootIdCharacters = 36;

Error malformed(const char* what) { return Error{ErrorKind::Malformed, std::string{"segment: "} + what}; }

std::uint32_t crc_of(std::span<const std::byte> segment) {
  return crc32c(segment.subspan(kCrcAt + kCrcBytes), crc32c(segment.first(kCrcAt)));
}

void write_at(std::span<std::byte> bytes, std::size_t at, std::size_t count, std::uint64_t number) {
  for (std::size_t i = 0; i < count; ++i) bytes[at + i] = static_cast<std::byte>((number >> (8 * i)) & 0xFFU);
}

void write_part(std::span<std::byte> bytes, const SegmentHeader::Part& part) {
  write_at(bytes, kPartAt, 8, part.first_seq);
  write_at(bytes, kPartAt + 8, 8, part.last_seq);
  bytes[kPartAt + 16] = std::byte{part.number};
  bytes[kPartAt + 17] = std::byte{part.of};
}

constexpr bool has_dash(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

/// A boot id's 16 bytes; nothing if it is not a lower-case UUID.
std::optional<std::array<std::uint8_t, 16>> boot_bytes(const BootId& boot) {
  if (boot.size() != kBootIdCharacters) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t digit = 0;
  for (std::size_t i = 0; i < boot.size(); ++i) {
    const char c = boot[i];
    if (has_dash(i)) {
      if (c != '-') return std::nullopt;
      continue;
    }
    unsigned value = 0;
    if (c >= '0' && c <= '9') {
      value = static_cast<unsigned>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = static_cast<unsigned>(c - 'a') + 10;
    } else {
      return std::nullopt;
    }
    bytes[digit / 2] = static_cast<std::uint8_t>((unsigned{bytes[digit / 2]} << 4U) | value);
    ++digit;
  }
  return bytes;
}

BootId boot_text(ByteReader& in) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  BootId text;
  while (text.size() < kBootIdCharacters) {
    if (has_dash(text.size())) text += '-';
    const std::uint8_t byte = in.u8();
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0x0FU];
  }
  return text;
}

struct Frame {
  SegmentHeader header;
  std::uint8_t compression = kStored;
  std::size_t body_bytes = 0;
  std::span<const std::byte> body;  ///< as stored
};

Result<Frame> read_frame(std::span<const std::byte> bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return malformed("too short");
  if (bytes.size() > kSegmentBytesMax) return malformed("too long");
  ByteReader in{bytes};
  if (in.u32() != kMagic) return malformed("does not begin with FPSG");
  const std::uint8_t version = in.u8();
  const std::uint8_t lane = in.u8();
  Frame frame;
  frame.compression = in.u8();
  const std::uint8_t flags = in.u8();
  if (in.u32() != crc_of(bytes)) return malformed("the CRC is wrong");
  if (version < kVersion || version > kVersionPart) return malformed("a version that is not known here");
  if (lane >= kLanes.size() || frame.compression > kZstd || flags > (version == kVersion ? 0 : kThinned)) return malformed("a field is out of range");
  const std::size_t stored_bytes = in.u32();
  frame.body_bytes = in.u32();
  frame.header.lane = static_cast<Lane>(lane);
  frame.header.epoch = in.u64();
  frame.header.seq = in.u64();
  frame.header.first = BootTime{nanoseconds{static_cast<std::int64_t>(in.u64())}};
  frame.header.last = BootTime{nanoseconds{static_cast<std::int64_t>(in.u64())}};
  frame.header.samples = in.u32();
  frame.header.summaries = in.u32();
  frame.header.events = in.u32();
  frame.header.gaps = in.u32();
  frame.header.boot = boot_text(in);
  frame.header.first_seq = version == kVersion ? frame.header.seq : in.u64();
  frame.header.is_thinned = flags == kThinned;
  if (version == kVersionPart) {
    auto& part = frame.header.part;
    part.first_seq = in.u64();
    part.last_seq = in.u64();
    part.number = in.u8();
    part.of = in.u8();
    const bool is_one = frame.header.is_thinned && 1 <= part.number && part.number <= part.of && 2 <= part.of && part.of <= kSegmentPartsMax;
    if (!is_one || part.first_seq > frame.header.first_seq || part.last_seq < frame.header.seq) return malformed("a part of nothing");
  }
  if (in.failed() || frame.header.first_seq > frame.header.seq) return malformed("a number is out of range");
  frame.body = bytes.subspan(kSegmentHeaderBytesOf[version]);
  if (frame.body.size() != stored_bytes) return malformed("the body's length is wrong");
  if (frame.body_bytes > kSegmentBodyBytesMax) return malformed("the body is too long");
  if (frame.compression == kStored && frame.body_bytes != stored_bytes) return malformed("the body's length is wrong");
  return frame;
}

}  // namespace

BootId boot_id_of(std::span<const std::byte> bytes) {
  if (bytes.size() != kSegmentBootBytes) return {};
  ByteReader in{bytes};
  return boot_text(in);
}

std::string to_text(Epoch epoch) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(epoch >> static_cast<unsigned>(shift)) & 0x0FU];
  return text;
}

std::string_view to_string(Gap::Cause cause) noexcept {
  switch (cause) {
    case Gap::Cause::quota: return "quota";
    case Gap::Cause::age: return "age";
    case Gap::Cause::damage: return "damage";
    case Gap::Cause::memory: return "memory";
    case Gap::Cause::oversize: return "oversize";
    case Gap::Cause::refused: return "refused";
    case Gap::Cause::thinned: return "thinned";
  }
  return "damage";
}

Result<std::vector<std::byte>> encode_segment(const SegmentHeader& header, const SegmentView& content) {
  if (header.samples != content.samples.size() || header.summaries != content.summaries.size() ||
      header.events != content.events.size() || header.gaps != content.gaps.size()) {
    return Error{ErrorKind::Bug, "segment: the header's counts are not the content's"};
  }
  const auto boot = boot_bytes(header.boot);
  if (!boot) return Error{ErrorKind::OutOfRange, "segment: the boot id \"" + header.boot + "\" is not a UUID"};
  const std::vector<std::byte> body = TRY(write_body(header.first, content));
  const auto compressed = compress(body);
  const std::span<const std::byte> stored = compressed ? std::span{*compressed} : std::span{body};
  if (stored.size() > kSegmentBytesMax - kSegmentHeaderBytesMax) {
    return Error{ErrorKind::OutOfRange, "segment: " + std::to_string(stored.size()) + " bytes are too many"};
  }

  const bool is_merged = header.is_thinned || (header.first_seq != 0 && header.first_seq != header.seq);
  ByteWriter out;
  out.u32(kMagic);
  const std::uint8_t version = header.part.of > 0 ? kVersionPart : is_merged ? kVersionMerged : kVersion;
  out.u8(version);
  out.u8(static_cast<std::uint8_t>(header.lane));
  out.u8(compressed ? kZstd : kStored);
  out.u8(header.is_thinned ? kThinned : 0);
  out.u32(0);  // the CRC, once all the rest is there
  out.u32(static_cast<std::uint32_t>(stored.size()));
  out.u32(static_cast<std::uint32_t>(body.size()));
  out.u64(header.epoch);
  out.u64(header.seq);
  out.u64(static_cast<std::uint64_t>(header.first.time_since_epoch().count()));
  out.u64(static_cast<std::uint64_t>(header.last.time_since_epoch().count()));
  out.u32(header.samples);
  out.u32(header.summaries);
  out.u32(header.events);
  out.u32(header.gaps);
  for (const std::uint8_t byte : *boot) out.u8(byte);
  if (is_merged) out.u64(header.first_seq == 0 ? header.seq : header.first_seq);
  constexpr std::array<std::byte, kSegmentHeaderBytesMax - kPartAt> kPart{};
  if (version == kVersionPart) out.bytes(kPart);
  out.bytes(stored);

  std::vector<std::byte> bytes = std::move(out).take();
  if (version == kVersionPart) write_part(bytes, header.part);
  write_at(bytes, kCrcAt, kCrcBytes, crc_of(bytes));
  return bytes;
}

Result<std::vector<std::byte>> encode_segment(const SegmentHeader& header, const SegmentContent& content) {
  std::vector<const Series*> series;
  series.reserve(content.series.size());
  for (const Series& one : content.series) series.push_back(&one);
  return encode_segment(header, SegmentView{.series = series,
                                            .samples = content.samples,
                                            .summaries = content.summaries,
                                            .events = content.events,
                                            .gaps = content.gaps});
}

void renumber_segment(std::vector<std::byte>& bytes, SegmentHeader& header, std::uint64_t first_seq, std::uint64_t seq, const SegmentHeader::Part& part) {
  if (part.of > 0) {
    bytes.insert(bytes.begin() + kPartAt, kSegmentHeaderBytesMax - kPartAt, std::byte{});
    bytes[kVersionAt] = std::byte{kVersionPart};
    write_part(bytes, part);
    header.part = part;
  }
  header.first_seq = first_seq;
  header.seq = seq;
  write_at(bytes, kSeqAt, sizeof seq, seq);
  write_at(bytes, kFirstSeqAt, sizeof first_seq, first_seq);
  write_at(bytes, kCrcAt, kCrcBytes, crc_of(bytes));
}

Result<SegmentHeader> decode_segment_header(std::span<const std::byte> bytes) {
  return TRY(read_frame(bytes)).header;
}

Result<SegmentContent> decode_segment_content(std::span<const std::byte> bytes) {
  const Frame frame = TRY(read_frame(bytes));
  if (frame.compression == kStored) return read_body(frame.header, frame.body);
  const std::vector<std::byte> body = TRY(decompress(frame.body, frame.body_bytes));
  return read_body(frame.header, body);
}

}  // namespace fieldpost
