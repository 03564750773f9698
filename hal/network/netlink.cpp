// SPDX-License-Identifier: Apache-2.0
// Netlink datagrams (RFC 3549; the kernel's Documentation/userspace-api/netlink/intro.rst).
#include "hal/network/netlink.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace fieldpost {
namespace {

/// As much as the kernel puts into one datagram of a dump.
constexpr std::size_t kAnswerBytesMax = 32768;

/// Datagrams read in one ask() or drain(); a storm of notifications must not hold the loop.
constexpr int kDatagramsMax = 4096;

std::size_t aligned(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

Error kernel_error(int error_number) {
  if (error_number == EOPNOTSUPP || error_number == ENOENT || error_number == EINVAL) {
    return {ErrorKind::NotPresent, "netlink: " + errno_error("the kernel answered", error_number).sentence()};
  }
  return errno_error("netlink: the kernel answered", error_number);
}

}  // namespace

std::optional<NetlinkMessage> NetlinkMessages::next() {
  nlmsghdr header{};
  if (rest_.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, rest_.data(), sizeof(header));
  if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest_.size()) {
    rest_ = {};
    return std::nullopt;
  }
  const NetlinkMessage message{header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq, header.nlmsg_pid,
                               rest_.subspan(sizeof(header), header.nlmsg_len - sizeof(header))};
  rest_ = rest_.subspan(std::min(rest_.size(), aligned(header.nlmsg_len)));
  return message;
}

std::string_view NetlinkAttributes::Attribute::text() const {
  const std::string_view whole{reinterpret_cast<const char*>(payload.data()), payload.size()};
  return whole.substr(0, whole.find('\0'));
}

std::optional<NetlinkAttributes::Attribute> NetlinkAttributes::next() {
  if (rest_.size() < sizeof(nlattr)) return std::nullopt;
  nlattr header{};
  std::memcpy(&header, rest_.data(), sizeof(header));
  if (header.nla_len < sizeof(header) || header.nla_len > rest_.size()) {
    rest_ = {};
    return std::nullopt;
  }
  const Attribute attribute{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
                            rest_.subspan(sizeof(header), header.nla_len - sizeof(header))};
  rest_ = rest_.subspan(std::min(rest_.size(), aligned(header.nla_len)));
  return attribute;
}

NetlinkSocket::NetlinkSocket(FileDescriptor descriptor, std::uint32_t port)
    : descriptor_{std::move(descriptor)}, port_{port}, answer_(kAnswerBytesMax) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol, std::uint32_t groups) {
  FileDescriptor descriptor{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (!descriptor) return errno_error("netlink: socket", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return errno_error("netlink: bind", errno);
  }
  socklen_t length = sizeof(address);
  if (::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return errno_error("netlink: getsockname", errno);
  }
  return NetlinkSocket{std::move(descriptor), address.nl_pid};
}

Result<void> NetlinkSocket::ask(std::uint16_t type, std::uint16_t flags,
                                std::span<const std::byte> request, NetlinkListener& listener) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(std::uint64_t{sizeof(header) + request.size()});
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  request_.resize(header.nlmsg_len);
  std::memcpy(request_.data(), &header, sizeof(header));
  std::ranges::copy(request, request_.begin() + sizeof(header));
  if (::send(descriptor_.get(), request_.data(), request_.size(), 0) < 0) {
    return errno_error("netlink: send", errno);
  }

  const bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
  bool done = false;
  bool interrupted = false;
  int kernel_errno = 0;
  for (int datagrams = 0; !done; ++datagrams) {
    const ssize_t length = ::recv(descriptor_.get(), answer_.data(), answer_.size(), MSG_TRUNC);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == ENOBUFS) return Error{ErrorKind::Unavailable, "netlink: notifications were lost"};
    if (length < 0) return errno_error("netlink: receive", errno);
    const auto size = static_cast<std::size_t>(length);
    if (size > answer_.size()) return Error{ErrorKind::OutOfRange, "netlink: an answer larger than 32 KiB"};
    if (datagrams == kDatagramsMax) return Error{ErrorKind::Unavailable, "netlink: too many datagrams"};
    NetlinkMessages messages{{answer_.data(), size}};
    while (const auto message = done ? std::nullopt : messages.next()) {
      // A notification bears the number and the port of whoever caused it, so both must be ours.
      if (message->sequence != sequence_ || message->port != port_) {
        if (message->type >= NLMSG_MIN_TYPE) listener.notification(*message);
        continue;
      }
      interrupted = interrupted || (message->flags & NLM_F_DUMP_INTR) != 0;
      if (message->type == NLMSG_DONE || message->type == NLMSG_ERROR) {
        std::int32_t code = 0;
        if (message->payload.size() >= sizeof(code)) {
          std::memcpy(&code, message->payload.data(), sizeof(code));
        }
        kernel_errno = -code;
        done = true;
      } else {
        listener.answer(*message);
        done = !is_dump;
      }
    }
  }
  if (kernel_errno != 0) return kernel_error(kernel_errno);
  if (interrupted) return Error{ErrorKind::Unavailable, "netlink: the table changed while it was read"};
  return {};
}

void NetlinkSocket::drain() {
  for (int datagrams = 0; datagrams < kDatagramsMax; ++datagrams) {
    const ssize_t length = ::recv(descriptor_.get(), answer_.data(), answer_.size(), 0);
    if (length < 0 && errno != EINTR && errno != ENOBUFS) return;
  }
}

}  // namespace fieldpost
