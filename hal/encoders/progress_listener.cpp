// SPDX-License-Identifier: Apache-2.0
// See progress_listener.hpp.
#include "hal/encoders/progress_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>

#include "platform/unix_socket.hpp"

namespace fieldpost {
namespace {

/// One encoder and its successor; more only wait for their turn to be turned away.
constexpr int kBacklog = 4;

struct TcpAddress {
  sockaddr_storage storage{};
  socklen_t bytes = 0;
  bool is_loopback = false;
};

Error refused(std::string_view address) {
  return Error{ErrorKind::OutOfRange,
               "listen must be \"unix:/path\" or \"tcp:ADDRESS:PORT\" with a numeric address, like "
               "\"tcp:127.0.0.1:9700\"; it is \"" + std::string{address} + "\""};
}

/// "127.0.0.1:9700" or "[::1]:9700".
Result<TcpAddress> parse_tcp(std::string_view text, std::string_view whole) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused(whole);
  std::string host{text.substr(0, colon)};
  const std::string_view port_text = text.substr(colon + 1);
  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [at, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc{} || at != end || port == 0) return refused(whole);

  TcpAddress address;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return refused(whole);
    address.is_loopback = std::memcmp(&v6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0;
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.bytes = sizeof v6;
    return address;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) return refused(whole);
  address.is_loopback = (ntohl(v4.sin_addr.s_addr) >> 24U) == 127;
  std::memcpy(&address.storage, &v4, sizeof v4);
  address.bytes = sizeof v4;
  return address;
}

Result<FileDescriptor> listen_tcp(std::string_view text, std::string_view whole,
                                  bool remote_allowed) {
  const TcpAddress address = TRY(parse_tcp(text, whole));
  if (!address.is_loopback && !remote_allowed) {
    return Error{ErrorKind::Denied,
                 std::string{whole} +
                     " can be reached from other machines, and whoever reaches it can write false "
                     "figures; listen on 127.0.0.1 or set remote_allowed = true"};
  }
  FileDescriptor listener{::socket(address.storage.ss_family,
                                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!listener) return errno_error("socket for " + std::string{whole}, errno);
  const int on = 1;
  // An agent that restarts finds its port in TIME_WAIT.
  (void)::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    const int error_number = errno;
    if (error_number == EADDRINUSE) {
      return Error{ErrorKind::Unavailable, "somebody else listens on " + std::string{whole}};
    }
    if (error_number == EADDRNOTAVAIL) {
      return Error{ErrorKind::NotPresent,
                   "this machine does not have the address of " + std::string{whole}};
    }
    return errno_error("listen on " + std::string{whole}, error_number);
  }
  return listener;
}

}  // namespace

Result<FileDescriptor> listen_for_progress(std::string_view address, bool remote_allowed) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kTcp = "tcp:";
  if (address.starts_with(kUnix) && address.substr(kUnix.size()).starts_with('/')) {
    return listen_unix(std::string{address.substr(kUnix.size())});
  }
  if (address.starts_with(kTcp)) {
    return listen_tcp(address.substr(kTcp.size()), address, remote_allowed);
  }
  return refused(address);
}

Result<FileDescriptor> accept_progress(const FileDescriptor& listener) {
  for (;;) {
    FileDescriptor connection{
        ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (connection) return connection;
    switch (errno) {
      case EINTR:
      case ECONNABORTED:  // it came and went; the next one may be a better one
        continue;
      case EAGAIN:
        return FileDescriptor{};
      default:
        return errno_error("accept an encoder's connection", errno);
    }
  }
}

}  // namespace fieldpost
