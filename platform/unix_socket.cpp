// SPDX-License-Identifier: Apache-2.0
// The life of a socket's name: it outlives its process, so a stale one has to be told from a live one.
#include "platform/unix_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fieldpost {
namespace {

constexpr int kBacklog = 16;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  static_assert(sizeof address.sun_path == kUnixSocketPathBytesMax + 1);
  if (path.empty() || path.size() > kUnixSocketPathBytesMax) {
    return Error{ErrorKind::OutOfRange, "socket path \"" + path + "\": must have 1 to " +
                                            std::to_string(kUnixSocketPathBytesMax) + " bytes"};
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: what bind(2) and connect(2) ask for
}

Result<FileDescriptor> make_socket() {
  FileDescriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) return errno_error("socket", errno);
  return socket;
}

/// Removes a socket that nobody serves; anything else at `path` is an error.
Result<void> make_way(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return errno_error("look at " + path, errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Error{ErrorKind::Denied, path + " exists and is not a socket; it is left alone"};
  }
  const auto connection = connect_unix(path);
  if (connection || connection.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::Unavailable, "another process listens at " + path};
  }
  if (connection.error().kind() != ErrorKind::NotPresent) return connection.error();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + path, errno);
  return {};
}

}  // namespace

Result<FileDescriptor> listen_unix(const std::string& path, mode_t mode) {
  const sockaddr_un address = TRY(address_of(path));
  TRY(make_way(path));
  FileDescriptor socket = TRY(make_socket());
  // The name is made with the socket's own mode less the umask, so there is no moment in which it is
  // wider than asked for; chmod() then gives back what the umask took.
  if (::fchmod(socket.get(), mode) != 0) return errno_error("chmod a socket", errno);
  if (::bind(socket.get(), generic(address), sizeof address) != 0) return errno_error("bind " + path, errno);
  if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), kBacklog) != 0) {
    const int error_number = errno;
    ::unlink(path.c_str());
    return errno_error("listen at " + path, error_number);
  }
  return socket;
}

Result<FileDescriptor> accept_unix(const FileDescriptor& listener) {
  while (true) {
    FileDescriptor connection{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (connection) return connection;
    if (errno != EINTR && errno != ECONNABORTED) return errno_error("accept", errno);
  }
}

Result<FileDescriptor> connect_unix(const std::string& path) {
  const sockaddr_un address = TRY(address_of(path));
  FileDescriptor socket = TRY(make_socket());
  if (::connect(socket.get(), generic(address), sizeof address) == 0) return socket;
  if (errno == ECONNREFUSED) return Error{ErrorKind::NotPresent, "nobody listens at " + path};
  return errno_error("connect to " + path, errno);
}

Result<UnixPeer> unix_peer(const FileDescriptor& connection) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return errno_error("ask for the peer's credentials", errno);
  }
  return UnixPeer{.process = credentials.pid, .user = credentials.uid, .group = credentials.gid};
}

}  // namespace fieldpost
