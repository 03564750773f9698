// SPDX-License-Identifier: Apache-2.0
// Looks at what the broker sends before Paho does. Paho believes any length that a packet announces and takes the
// memory for it, up to 256 MiB and several times over; a WebSocket frame may announce even more. It also takes any
// packet that bears a message's number for its PUBACK (PUBREC and PUBCOMP, even SUBACK), and reads a number from behind
// the end of a packet that is too short for one: each of these acknowledges what nobody has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/result.hpp"

namespace fieldpost {

class PacketGuard {
 public:
  /// AWS and Azure deliver up to 256 KiB.
  static constexpr std::uint64_t kPacketBytesMax = 1U << 20U;
  static constexpr std::size_t kHeadBytesMax = 16U << 10U;

  explicit PacketGuard(bool websocket) : next_{websocket ? Next::head : Next::packet}, websocket_{websocket} {}

  /// A SUBSCRIBE goes out: one SUBACK may come.
  void expect_subscription() noexcept { ++subscriptions_awaited_; }

  /// The next bytes of the stream, in any portions.
  /// Errors: Malformed  they announce more than we take, or no length at all, or a packet that a broker has no reason to send
  Result<void> look(std::span<const std::uint8_t> bytes);

 private:
  enum class Next : std::uint8_t { head, frame, frame_size, frame_length, mask, payload, packet, length };

  Result<void> take(std::uint8_t byte);
  Result<void> take_packet(std::uint8_t byte);
  void begin_payload();
  Result<void> check_packet();

  Next next_;
  bool websocket_;
  std::size_t head_bytes_ = 0;
  std::uint32_t head_end_ = 0;      ///< the latest four bytes of the head
  bool control_frame_ = false;
  bool masked_ = false;
  unsigned bytes_wanted_ = 0;       ///< of a frame's length or mask
  std::uint64_t frame_left_ = 0;    ///< of its payload
  Next in_payload_ = Next::packet;  ///< where the packets in the frames are
  std::uint8_t kind_ = 0;           ///< of the packet: the upper half of its first byte
  unsigned subscriptions_awaited_ = 0;
  unsigned shift_ = 0;
  std::uint64_t length_ = 0;        ///< of the packet
  std::uint64_t packet_left_ = 0;
};

}  // namespace fieldpost
