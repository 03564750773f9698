// SPDX-License-Identifier: Apache-2.0
// A netlink socket and the walk through what it answers. The kernel answers within the system call
// that asks, so nothing here waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// One message without its nlmsghdr.
struct NetlinkMessage {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t port = 0;  ///< of the socket that asked; of a notification, who caused it
  std::span<const std::byte> payload;
};

/// The messages of one datagram, one after the other.
class NetlinkMessages {
 public:
  explicit NetlinkMessages(std::span<const std::byte> datagram) : rest_{datagram} {}

  /// The next one; nothing at the end or where a length lies.
  std::optional<NetlinkMessage> next();

 private:
  std::span<const std::byte> rest_;
};

/// Whoever asked, and is told the answer. A class and not a std::function: those allocate, and this
/// runs at every tick.
class NetlinkListener {
 public:
  virtual ~NetlinkListener() = default;
  virtual void answer(const NetlinkMessage& message) = 0;
  /// A message of a multicast group that came in between.
  virtual void notification(const NetlinkMessage& message) { static_cast<void>(message); }
};

/// The attributes at the end of a message, or nested in an attribute, one after the other.
class NetlinkAttributes {
 public:
  struct Attribute {
    std::uint16_t type = 0;  ///< without the "nested" and "byte order" flags
    std::span<const std::byte> payload;

    /// The number, if the payload is at least that long; payloads are only aligned to 4 bytes.
    template <typename Number>
    std::optional<Number> as() const {
      if (payload.size() < sizeof(Number)) return std::nullopt;
      Number number;
      std::memcpy(&number, payload.data(), sizeof(number));
      return number;
    }
    /// The text up to its first zero byte.
    std::string_view text() const;
  };

  explicit NetlinkAttributes(std::span<const std::byte> bytes) : rest_{bytes} {}

  /// The next one; nothing at the end or where a length lies.
  std::optional<Attribute> next();

 private:
  std::span<const std::byte> rest_;
};

class NetlinkSocket {
 public:
  /// `protocol`: NETLINK_ROUTE, NETLINK_GENERIC; `groups`: bits of multicast groups to hear.
  /// Errors: Io, Denied
  static Result<NetlinkSocket> open(int protocol, std::uint32_t groups);

  /// Sends one request of `type` and tells `listener` each message that answers it, and what else
  /// waited. Ends at NLMSG_DONE, or after the first answer when the request is no dump.
  ///
  /// Errors: NotPresent, Denied or Io, as the kernel's error message says (EOPNOTSUPP and ENOENT are
  ///         NotPresent); Unavailable: notifications were lost, or the table changed during the
  ///         dump: ask again
  Result<void> ask(std::uint16_t type, std::uint16_t flags, std::span<const std::byte> request,
                   NetlinkListener& listener);

  /// Throws away what waits in the socket.
  void drain();

 private:
  NetlinkSocket(FileDescriptor descriptor, std::uint32_t port);

  FileDescriptor descriptor_;
  std::uint32_t port_;  ///< our own address; the kernel's answers bear it
  std::uint32_t sequence_ = 0;
  std::vector<std::byte> request_;
  std::vector<std::byte> answer_;
};

}  // namespace fieldpost
