// SPDX-License-Identifier: Apache-2.0
// Puts netlink messages together byte by byte, for tests of their parsers.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace fieldpost {

using Bytes = std::vector<std::byte>;

template <typename Struct>
Bytes bytes_of(const Struct& value) {
  Bytes bytes(sizeof(value));
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

inline Bytes text_bytes(std::string_view text) {
  Bytes bytes(text.size() + 1);
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

/// One attribute, padded.
inline void add_attribute(Bytes& message, std::uint16_t type, const Bytes& payload) {
  const Bytes header = bytes_of(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type});
  message.insert(message.end(), header.begin(), header.end());
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize((message.size() + 3) & ~std::size_t{3});
}

/// A whole message with its nlmsghdr.
inline Bytes message_of(std::uint16_t type, const Bytes& payload) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(std::uint64_t{sizeof(header) + payload.size()});
  header.nlmsg_type = type;
  Bytes message = bytes_of(header);
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize((message.size() + 3) & ~std::size_t{3});
  return message;
}

}  // namespace fieldpost
