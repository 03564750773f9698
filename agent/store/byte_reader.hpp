// SPDX-License-Identifier: Apache-2.0
// Reads what ByteWriter wrote, from bytes that may be anything. A read past the end, or a number past
// its bound, gives 0 and marks the reader as failed for good; callers may so read a whole row and look
// once, but must look before they allocate or loop by a number that was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/store/byte_writer.hpp"

namespace fieldpost {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : bytes_{bytes} {}

  bool failed() const noexcept { return failed_; }
  std::size_t remaining() const noexcept { return bytes_.size() - at_; }
  void fail() noexcept { failed_ = true; }

  std::uint8_t u8() noexcept {
    if (failed_ || at_ == bytes_.size()) {
      failed_ = true;
      return 0;
    }
    return std::to_integer<std::uint8_t>(bytes_[at_++]);
  }

  std::uint32_t u32() noexcept {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) value |= std::uint32_t{u8()} << shift;
    return failed_ ? 0 : value;
  }

  std::uint64_t u64() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 8) value |= std::uint64_t{u8()} << shift;
    return failed_ ? 0 : value;
  }

  /// At most ten bytes; one that does not fit into 64 bits, or is longer than it need be, fails.
  std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const std::uint8_t byte = u8();
      if (failed_) return 0;
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) {
        if (byte == 0 && shift > 0) break;
        return value;
      }
    }
    failed_ = true;
    return 0;
  }

  std::int64_t zigzag() noexcept { return from_zigzag(varint()); }

  /// A varint that must not exceed `max`.
  std::size_t count(std::size_t max) noexcept {
    const std::uint64_t value = varint();
    if (value > max) failed_ = true;
    return failed_ ? 0 : static_cast<std::size_t>(value);
  }

  std::span<const std::byte> bytes(std::size_t length) noexcept {
    if (failed_ || length > remaining()) {
      failed_ = true;
      return {};
    }
    const auto result = bytes_.subspan(at_, length);
    at_ += length;
    return result;
  }

  std::string_view text(std::size_t bytes_max) noexcept {
    const auto found = bytes(count(bytes_max));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char may look at any bytes
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace fieldpost
