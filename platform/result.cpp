// SPDX-License-Identifier: Apache-2.0
// Names of the error kinds, and which kind an errno is.
#include "platform/result.hpp"

#include <cerrno>
#include <cstring>

namespace fieldpost {
namespace {

ErrorKind kind_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
    case ESRCH:  // a /proc/PID file whose process has ended
      return ErrorKind::NotPresent;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::Denied;
    case ENOSPC:
    case EDQUOT:
      return ErrorKind::Full;
    case EAGAIN:
    case EBUSY:
    case EMFILE:  // not Full: no disk has more room for it
    case ENFILE:
      return ErrorKind::Unavailable;
    case ETIMEDOUT:
      return ErrorKind::Timeout;
    default:
      return ErrorKind::Io;
  }
}

}  // namespace

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::NotPresent:
      return "not present";
    case ErrorKind::Io:
      return "input/output error";
    case ErrorKind::Malformed:
      return "malformed";
    case ErrorKind::Timeout:
      return "timeout";
    case ErrorKind::Unavailable:
      return "unavailable";
    case ErrorKind::OutOfRange:
      return "out of range";
    case ErrorKind::Full:
      return "full";
    case ErrorKind::Denied:
      return "denied";
    case ErrorKind::Bug:
      return "bug";
  }
  return "unknown";
}

Error errno_error(std::string_view what, int error_number) {
  // The GNU strerror_r: safe from any thread, and the text may be a constant instead of the buffer.
  char buffer[128];
  const char* const text = ::strerror_r(error_number, buffer, sizeof buffer);
  return Error{kind_of(error_number), std::string{what} + ": " + text};
}

}  // namespace fieldpost
