// SPDX-License-Identifier: Apache-2.0
// Appends the primitives of the segment format to a buffer: little-endian words, varints (LEB128)
// and zigzag varints. In the header so that it is inlined: it is the store's innermost loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
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
  void u8(std::uint8_t value) { *room_for(1) = std::byte{value}; ++size_; }

  void u32(std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) u8(static_cast<std::uint8_t>(value >> shift));
  }

  void u64(std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8) u8(static_cast<std::uint8_t>(value >> shift));
  }

  void varint(std::uint64_t value) {
    std::byte* const begin = room_for(kVarintBytesMax);
    std::byte* at = begin;
    for (; value >= 0x80; value >>= 7U) *at++ = static_cast<std::byte>(value | 0x80U);
    *at++ = static_cast<std::byte>(value);
    size_ += static_cast<std::size_t>(at - begin);
  }

  void zigzag(std::int64_t value) { varint(to_zigzag(value)); }

  void bytes(std::span<const std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(), room_for(bytes.size()));
    size_ += bytes.size();
  }

  /// Length as a varint, then the bytes.
  void text(std::string_view text) {
    varint(text.size());
    bytes(std::as_bytes(std::span{text}));
  }

  void clear() noexcept { size_ = 0; }
  std::size_t size() const noexcept { return size_; }
  std::span<const std::byte> view() const noexcept { return {bytes_.data(), size_}; }
  std::vector<std::byte> take() && {
    bytes_.resize(size_);
    return std::move(bytes_);
  }

 private:
  static constexpr std::size_t kVarintBytesMax = 10;

  /// Where the next bytes go, of which there may be `count`.
  std::byte* room_for(std::size_t count) {
    if (bytes_.size() - size_ < count) bytes_.resize(2 * bytes_.size() + count);
    return bytes_.data() + size_;
  }

  std::vector<std::byte> bytes_;  ///< longer than what was written
  std::size_t size_ = 0;
};

}  // namespace fieldpost
