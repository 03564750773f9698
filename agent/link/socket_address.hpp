// SPDX-License-Identifier: Apache-2.0
// One IPv4 or IPv6 address with its port, as a value that needs no system header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct SocketAddress {
  enum class Family : std::uint8_t { v4, v6 };

  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes{};  ///< network order; the first four for IPv4
  std::uint32_t scope = 0;               ///< interface of a link-local IPv6 address
  std::uint16_t port = 0;

  /// "192.0.2.7", "2001:db8::7"
  std::string host_text() const;
  /// "192.0.2.7:8883", "[2001:db8::7]:8883"
  std::string text() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

/// The address that `host` spells out, or none when it is a name. Asks nobody.
std::optional<SocketAddress> parse_address(const std::string& host, std::uint16_t port);

/// A connect under way on a non-blocking TCP socket; or what errno said at once, as for an address
/// the kernel has no route to.
struct ConnectStart {
  FileDescriptor socket;
  int error_number = 0;
};
/// The socket is writable when the connect has ended, and connect_result() tells how.
ConnectStart start_connect(const SocketAddress& address);

/// How a connect ended: nothing, or errno.
int connect_result(int descriptor);

/// Two connected non-blocking stream sockets with the largest buffers the system grants.
struct SocketPair {
  FileDescriptor ours;
  FileDescriptor theirs;
  std::size_t bytes_held = 0;  ///< what a writer can put in before the reader has run
};
Result<SocketPair> make_socket_pair();

}  // namespace fieldpost
