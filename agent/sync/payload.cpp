// SPDX-License-Identifier: Apache-2.0
// See payload.hpp.
#include "agent/sync/payload.hpp"

#include <span>
#include <utility>

#include "agent/store/compression.hpp"
#include "agent/sync/message_senml.hpp"
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

std::string native_message(const OutgoingSegment& segment, const MessageGround& ground) {
  JsonWriter json;
  json.begin_object().member("v", 1).member("device", ground.device);
  write_message_time(json, segment.header, ground.utc_of);
  json.end_object();
  std::string bytes = std::move(json).take();
  bytes += '\n';
  append(bytes, segment.bytes);
  return bytes;
}

bool is_zstd(std::string_view bytes) { return bytes.starts_with("\x28\xB5\x2F\xFD"); }

/// As it is, where there is no memory to compress it in.
std::string compressed(std::string plain) {
  const auto shorter = compress(std::as_bytes(std::span{plain}));
  if (!shorter) return plain;
  plain.clear();
  append(plain, *shorter);
  return plain;
}

}  // namespace

Result<Payload> in_parts(std::size_t readings, const std::function<Result<std::string>(MessagePart)>& write) {
  for (MessagePart part;; part.of *= 2) {
    Payload payload;
    Result<void> failed;
    for (part.number = 0; part.number < part.of && failed; ++part.number) {
      auto bytes = write(part);
      if (!bytes) {
        failed = bytes.error();
      } else if (part.number == 0) {
        payload.bytes = std::move(*bytes);
      } else {
        payload.further.push_back(std::move(*bytes));
      }
    }
    if (failed) return payload;
    if (failed.error().kind() != ErrorKind::OutOfRange || part.of >= readings) return failed.error();
  }
}

Result<Payload> make_payload(const PayloadOptions& options, const MessageGround& ground, const OutgoingSegment& segment,
                             std::size_t bytes_max) {
  using Format = PayloadOptions::Format;
  const SegmentHeader& header = segment.header;
  if (options.format == Format::native) {
    return Payload{TRY(bounded(native_message(segment, ground), header, bytes_max)), "application/vnd.fieldpost.segment", {}};
  }
  const SegmentContent content = TRY(decode_segment_content(segment.bytes));
  const bool zstd = options.compression == PayloadOptions::Compression::zstd;
  const std::size_t plain_max = zstd ? kPlainBytesMax : bytes_max;
  if (options.format == Format::json) {
    std::string json = TRY(to_json_message(ground.device, header, content, ground.utc_of, plain_max));
    if (!zstd) return Payload{std::move(json), "application/json", {}};
    json = TRY(bounded(compressed(std::move(json)), header, bytes_max));
    const std::string_view type = is_zstd(json) ? "application/json+zstd" : "application/json";
    return Payload{std::move(json), type, {}};
  }
  const bool is_json = options.format == Format::senml_json;
  Payload payload = TRY(in_parts(flat_reading_count(content), [&](MessagePart part) -> Result<std::string> {
    auto pack = to_senml(is_json ? SenmlForm::json : SenmlForm::cbor, header, content, ground, part, plain_max);
    return pack && zstd ? bounded(compressed(std::move(*pack)), header, bytes_max) : pack;
  }));
  static constexpr std::string_view kTypes[] = {"application/senml+json", "application/senml+cbor", "application/senml+json+zstd",
                                                "application/senml+cbor+zstd"};
  payload.content_type = kTypes[(is_json ? 0U : 1U) + (is_zstd(payload.bytes) ? 2U : 0U)];
  return payload;
}

}  // namespace fieldpost
