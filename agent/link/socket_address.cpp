// SPDX-License-Identifier: Apache-2.0
#include "agent/link/socket_address.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fieldpost {

namespace {

/// The kernel doubles what it is asked for and counts its own overhead against it; a page of data
/// costs a little more than a page. Measured: writes of 4 KB or more fill 82 % of the account; smaller
/// ones cost about 1 KB each on top, which MqttLink charges to the window message by message.
constexpr std::size_t kUsableNumerator = 3;
constexpr std::size_t kUsableDenominator = 4;

/// More than any system's net.core.wmem_max; the kernel grants its own maximum instead.
constexpr int kBufferAskedFor = 8 << 20;

}  // namespace

std::string SocketAddress::host_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family == Family::v4 ? AF_INET : AF_INET6, bytes.data(), text.data(), static_cast<socklen_t>(text.size()));
  return text.data();
}

std::string SocketAddress::text() const {
  const auto port_text = ":" + std::to_string(port);
  return family == Family::v4 ? host_text() + port_text : "[" + host_text() + "]" + port_text;
}

std::optional<SocketAddress> parse_address(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  address.port = port;
  if (inet_pton(AF_INET, host.c_str(), address.bytes.data()) == 1) return address;
  address.family = SocketAddress::Family::v6;
  const auto percent = host.find('%');
  if (percent != std::string::npos) {
    address.scope = if_nametoindex(host.c_str() + percent + 1);
    if (address.scope == 0) return std::nullopt;
  }
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

ConnectStart start_connect(const SocketAddress& address) {
  const int family = address.family == SocketAddress::Family::v4 ? AF_INET : AF_INET6;
  FileDescriptor socket{::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) return {FileDescriptor{}, errno};
  // One flight of records is one send(): waiting for more to send (Nagle) would only add 40 ms.
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  sockaddr_storage storage{};
  socklen_t length = 0;
  if (family == AF_INET) {
    sockaddr_in internet{};
    internet.sin_family = AF_INET;
    internet.sin_port = htons(address.port);
    std::memcpy(&internet.sin_addr, address.bytes.data(), sizeof internet.sin_addr);
    std::memcpy(&storage, &internet, length = sizeof internet);
  } else {
    sockaddr_in6 internet{};
    internet.sin6_family = AF_INET6;
    internet.sin6_port = htons(address.port);
    internet.sin6_scope_id = address.scope;
    std::memcpy(&internet.sin6_addr, address.bytes.data(), sizeof internet.sin6_addr);
    std::memcpy(&storage, &internet, length = sizeof internet);
  }
  int result = 0;
  do {
    result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
  } while (result < 0 && errno == EINTR);
  if (result < 0 && errno != EINPROGRESS) return {FileDescriptor{}, errno};
  return {std::move(socket), 0};
}

int connect_result(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

Result<SocketPair> make_socket_pair() {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
    return errno_error("socket pair", errno);
  }
  SocketPair pair{FileDescriptor{ends[0]}, FileDescriptor{ends[1]}};
  for (const int end : ends) {
    setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kBufferAskedFor, sizeof kBufferAskedFor);
  }
  int account = 0;
  socklen_t length = sizeof account;
  getsockopt(pair.theirs.get(), SOL_SOCKET, SO_SNDBUF, &account, &length);
  pair.bytes_held = static_cast<std::size_t>(std::max(account, 0)) / kUsableDenominator * kUsableNumerator;
  return pair;
}

}  // namespace fieldpost
