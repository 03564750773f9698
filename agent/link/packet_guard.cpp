// SPDX-License-Identifier: Apache-2.0
// Two framings, one in the other: WebSocket (RFC 6455, section 5.2) and MQTT (its fixed header). What lies between the
// headers is skipped in one step.
#include "agent/link/packet_guard.hpp"

#include <algorithm>
#include <string>

namespace fieldpost {
namespace {

Error too_long(std::uint64_t bytes, const char* what) {
  return Error{ErrorKind::Malformed, "the broker sent " + std::string{what} + " of " + std::to_string(bytes) + " bytes; up to " +
                                         std::to_string(PacketGuard::kPacketBytesMax) + " are taken. Is this an MQTT broker?"};
}

}  // namespace

Result<void> PacketGuard::look(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const bool in_frame = websocket_ && next_ == Next::payload;
    const std::uint64_t skip = in_frame && control_frame_ ? frame_left_ : packet_left_;
    if (skip > 0 && (in_frame || !websocket_)) {
      const std::uint64_t limit = in_frame ? std::min(skip, frame_left_) : skip;
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(limit, bytes.size()));
      if (in_frame) frame_left_ -= count;
      if (!(in_frame && control_frame_)) packet_left_ -= count;
      if (in_frame && frame_left_ == 0) next_ = Next::frame;
      bytes = bytes.subspan(count);
      continue;
    }
    TRY(take(bytes.front()));
    bytes = bytes.subspan(1);
  }
  return {};
}

Result<void> PacketGuard::take(std::uint8_t byte) {
  constexpr std::uint32_t kHeadEnd = 0x0D0A0D0A;
  switch (next_) {
    case Next::head:
      head_end_ = head_end_ << 8U | byte;
      if (++head_bytes_ > kHeadBytesMax) return too_long(head_bytes_, "the head of a WebSocket answer");
      if (head_end_ == kHeadEnd) next_ = Next::frame;
      return {};
    case Next::frame:
      control_frame_ = (byte & 0x08U) != 0;
      next_ = Next::frame_size;
      return {};
    case Next::frame_size: {
      const unsigned size = byte & 0x7FU;
      masked_ = (byte & 0x80U) != 0;
      frame_left_ = size < 126 ? size : 0;
      bytes_wanted_ = size == 126 ? 2 : size == 127 ? 8 : 0;
      if (bytes_wanted_ > 0) {
        next_ = Next::frame_length;
      } else {
        begin_payload();
      }
      return {};
    }
    case Next::frame_length:
      frame_left_ = frame_left_ << 8U | byte;
      if (--bytes_wanted_ > 0) return {};
      // A frame may hold several packets, or the one that is the longest with its header.
      if (frame_left_ > kPacketBytesMax + 5) return too_long(frame_left_, "a WebSocket frame");
      begin_payload();
      return {};
    case Next::mask:
      if (--bytes_wanted_ == 0) next_ = frame_left_ > 0 ? Next::payload : Next::frame;
      return {};
    case Next::payload:
      if (--frame_left_ == 0) next_ = Next::frame;
      return take_packet(byte);
    case Next::packet:
    case Next::length: {
      in_payload_ = next_;
      auto taken = take_packet(byte);
      next_ = in_payload_;
      return taken;
    }
  }
  return {};
}

/// Masked frames come from no server; their lengths are looked at all the same.
void PacketGuard::begin_payload() {
  bytes_wanted_ = 4;
  next_ = masked_ ? Next::mask : frame_left_ > 0 ? Next::payload : Next::frame;
}

Result<void> PacketGuard::take_packet(std::uint8_t byte) {
  if (in_payload_ == Next::packet) {
    kind_ = byte >> 4U;
    shift_ = 0;
    length_ = 0;
    in_payload_ = Next::length;
    return {};
  }
  length_ |= static_cast<std::uint64_t>(byte & 0x7FU) << shift_;
  shift_ += 7;
  if (byte >= 0x80U) {
    if (shift_ < 28) return {};
    return Error{ErrorKind::Malformed, "the broker sent a packet without a length. Is this an MQTT broker?"};
  }
  TRY(check_packet());
  packet_left_ = length_;
  in_payload_ = Next::packet;
  return {};
}

/// QoS 2 is asked for in neither direction.
Result<void> PacketGuard::check_packet() {
  if (length_ > kPacketBytesMax) return too_long(length_, "a packet");
  enum : std::uint8_t { connack = 2, publish = 3, puback = 4, suback = 9, pingresp = 13, disconnect = 14 };
  bool wanted = false;
  switch (kind_) {
    case connack:
    case publish:
    case puback: wanted = length_ >= 2; break;
    case suback:
      wanted = length_ >= 3 && subscriptions_awaited_ > 0;
      if (wanted) --subscriptions_awaited_;
      break;
    case pingresp: wanted = length_ == 0; break;
    case disconnect: wanted = true; break;
    default: break;
  }
  if (wanted) return {};
  return Error{ErrorKind::Malformed, "the broker sent a packet of type " + std::to_string(kind_) + " and " + std::to_string(length_) +
                                         " bytes, for which there is no reason; the connection is ended, lest it be taken for an acknowledgement"};
}

}  // namespace fieldpost
