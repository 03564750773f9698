// SPDX-License-Identifier: Apache-2.0
// The wire format of Protocol Buffers, as far as Sparkplug B needs it: numbers, doubles and what has a length.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fieldpost::protobuf {

inline void put_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7U) out += static_cast<char>(number | 0x80U);
  out += static_cast<char>(number);
}

inline void put_number(std::string& out, unsigned field, std::uint64_t number) {
  put_varint(out, field << 3U);
  put_varint(out, number);
}

inline void put_double(std::string& out, unsigned field, double number) {
  put_varint(out, (field << 3U) | 1U);
  auto bits = std::bit_cast<std::uint64_t>(number);
  for (int i = 0; i < 8; ++i, bits >>= 8U) out += static_cast<char>(bits);
}

/// A text, or a message inside another.
inline void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_varint(out, (field << 3U) | 2U);
  put_varint(out, bytes.size());
  out += bytes;
}

/// Reads field after field; never past the end, whatever the bytes say.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_{bytes} {}

  /// False at the end, or where the bytes make no sense.
  bool next();

  unsigned field() const noexcept { return field_; }
  std::optional<std::uint64_t> number() const noexcept { return wire_ == 0 ? std::optional{number_} : std::nullopt; }
  std::optional<std::string_view> bytes() const noexcept { return wire_ == 2 ? std::optional{bytes_} : std::nullopt; }

 private:
  std::optional<std::uint64_t> varint();

  std::string_view rest_;
  unsigned field_ = 0;
  unsigned wire_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace fieldpost::protobuf
