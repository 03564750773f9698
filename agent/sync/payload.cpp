// SPDX-License-Identifier: Apache-2.0
// See payload.hpp.
#include "agent/sync/payload.hpp"

#include <span>
#include <utility>

#include "agent/store/compression.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

/// Before compression: the store closes segments well below this.
constexpr std::size_t kPlainBytesMax = 1U << 20U;

void append(std::string& text, std::span<const std::byte> bytes) {
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::string> bounded(std::string bytes, const SegmentHeader& header, std::size_t bytes_max) {
  if (bytes.size() <= bytes_max) return bytes;
  return Error{ErrorKind::OutOfRange, "message of seq " + std::to_string(header.seq) + " has " + std::to_string(bytes.size()) +
                                          " bytes, more than " + std::to_string(bytes_max)};
}

std::string native_message(std::string_view device, const OutgoingSegment& segment, const UtcOf& utc_of) {
  JsonWriter json;
  json.begin_object().member("v", 1).member("device", device);
  write_message_time(json, segment.header, utc_of);
  json.end_object();
  std::string bytes = std::move(json).take();
  bytes += '\n';
  append(bytes, segment.bytes);
  return bytes;
}

}  // namespace

Result<Payload> make_payload(const PayloadOptions& options, std::string_view device, const OutgoingSegment& segment,
                             const UtcOf& utc_of, std::size_t bytes_max) {
  if (options.format == PayloadOptions::Format::native) {
    return Payload{TRY(bounded(native_message(device, segment, utc_of), segment.header, bytes_max)),
                   "application/vnd.fieldpost.segment"};
  }
  const SegmentContent content = TRY(decode_segment_content(segment.bytes));
  const bool compressed = options.compression == PayloadOptions::Compression::zstd;
  std::string json = TRY(to_json_message(device, segment.header, content, utc_of, compressed ? kPlainBytesMax : bytes_max));
  if (!compressed) return Payload{std::move(json), "application/json"};
  const auto shorter = compress(std::as_bytes(std::span{json}));
  if (!shorter) return Payload{TRY(bounded(std::move(json), segment.header, bytes_max)), "application/json"};
  std::string bytes;
  append(bytes, *shorter);
  return Payload{TRY(bounded(std::move(bytes), segment.header, bytes_max)), "application/json+zstd"};
}

}  // namespace fieldpost
