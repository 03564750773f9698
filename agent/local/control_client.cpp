// SPDX-License-Identifier: Apache-2.0
// Asking side: for a command that has nothing else to do, so it waits in poll(2).
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "agent/local/control_socket.hpp"
#include "platform/unix_socket.hpp"

namespace fieldpost {
namespace {

using Steady = std::chrono::steady_clock;

/// Waits until `events` happen or the time is over.
Result<void> wait_for(const FileDescriptor& connection, short events, Steady::time_point until) {
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Steady::now()).count();
    if (left <= 0) return Error{ErrorKind::Timeout, "the agent does not answer"};
    pollfd poll_entry{connection.get(), events, 0};
    const int ready = ::poll(&poll_entry, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return errno_error("poll", errno);
  }
}

}  // namespace

Result<std::string> ask_control_socket(const std::string& path, std::string_view request,
                                       milliseconds at_most) {
  const auto until = Steady::now() + at_most;
  const FileDescriptor connection = TRY(connect_unix(path));
  TRY(wait_for(connection, POLLOUT, until));
  const std::string line = std::string{request} + "\n";
  // A request is far smaller than any socket buffer: it goes at once or not at all.
  if (::send(connection.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return errno_error("ask " + path, errno);
  }
  std::string answer;
  std::array<char, 16'384> buffer{};
  while (true) {
    TRY(wait_for(connection, POLLIN, until));
    const ssize_t count = ::recv(connection.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) return errno_error("read the answer of " + path, errno);
    if (count == 0) {
      return Error{ErrorKind::Malformed, answer.empty() ? "the agent closed without an answer; too "
                                                          "many ask at once?"
                                                        : "the agent's answer has no end"};
    }
    answer.append(buffer.data(), static_cast<std::size_t>(count));
    const std::size_t end = answer.find('\n');
    if (end != std::string::npos) {
      answer.resize(end);
      return answer;
    }
    if (answer.size() > ControlSocket::kAnswerBytesMax) {
      return Error{ErrorKind::Malformed, "the agent's answer has no end"};
    }
  }
}

}  // namespace fieldpost
