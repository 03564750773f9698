// SPDX-License-Identifier: Apache-2.0
// flock(2): released by the kernel when the last descriptor closes, whatever ended the process.
#include "agent/local/instance_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace fieldpost {
namespace {

/// The number that the holder wrote; only for the message, so anything unreadable is "".
std::string holder_of(const FileDescriptor& file) {
  std::array<char, 16> text{};
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  int number = 0;
  if (count <= 0) return {};
  const auto parsed = std::from_chars(text.data(), text.data() + count, number);
  if (parsed.ec != std::errc{} || number <= 0) return {};
  return " (process " + std::to_string(number) + ")";
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& directory) {
  const std::string path = directory + "/fieldpost.lock";
  FileDescriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640)};
  if (!file) return errno_error("lock " + path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("lock " + path, errno);
    return Error{ErrorKind::Unavailable,
                 "another fieldpost" + holder_of(file) + " uses " + directory +
                     "; stop it, or give this one its own [device] state_directory"};
  }
  const std::string number = std::to_string(::getpid()) + "\n";
  // The number is a courtesy to whoever reads the message above; the lock holds without it.
  if (::ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(file.get(), number.data(), number.size(), 0);
  }
  return InstanceLock{std::move(file)};
}

}  // namespace fieldpost
