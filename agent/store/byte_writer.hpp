// SPDX-License-Identifier: Apache-2.0
// Appends the primitives of the segment format to a buffer: little-endian words, varints (LEB128)
// and zigzag varints. In the header so that it is inlined: it is the store's innermost loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fieldpost {

/// 0, -1, 1, -2 ... become 0, 1, 2, 3 ...: small magnitudes make short varints.
constexpr std::uint64_t to_zigzag(std::int64_t value) noexcept {
  const auto bits = static_cast<std::uint64_t>(value);
  return (bits << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0);
}

constexpr std::int64_t from_zigzag(std::uint64_t coded) noexcept {
  return static_cast<std::int64_t>((coded >> 1U) ^ (~(coded & 1U) + 1U));
}

class ByteWriter {
 public:
  void u8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }

  void u32(std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) u8(static_cast<std::uint8_t>(value >> shift));
  }

  void u64(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) u8(static_cast<std::uint8_t>(value >> shift));
  }

  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80U));
      value >>= 7U;
    }
    u8(static_cast<std::uint8_t>(value));
  }

  void zigzag(std::int64_t value) { varint(to_zigzag(value)); }

  void bytes(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  /// Length as a varint, then the bytes.
  void text(std::string_view text) {
    varint(text.size());
    bytes(std::as_bytes(std::span{text}));
  }

  void clear() noexcept { bytes_.clear(); }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> view() const noexcept { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace fieldpost
