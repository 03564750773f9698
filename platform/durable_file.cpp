// SPDX-License-Identifier: Apache-2.0
// Write, fsync, rename, fsync the directory: each of the four is needed, and an error of any of them
// is the caller's to know (a failed fsync means that the pages are gone, so nothing is retried).
#include "platform/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_all(int descriptor, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(descriptor, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno_error("write " + path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_new_file(const std::string& path, std::string_view content, mode_t mode) {
  // Whatever an earlier, interrupted attempt left is removed first, so that O_EXCL makes a file of our
  // own mode and no link is followed.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + path, errno);
  FileDescriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!file) return errno_error("create " + path, errno);
  TRY(write_all(file.get(), content, path));
  if (::fchmod(file.get(), mode) != 0) return errno_error("chmod " + path, errno);  // whatever the umask
  if (::fsync(file.get()) != 0) return errno_error("fsync " + path, errno);
  if (::close(file.release()) != 0) return errno_error("close " + path, errno);
  return {};
}

}  // namespace

Result<void> sync_directory_of(const std::string& path) {
  const std::string directory = directory_of(path);
  const FileDescriptor file{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!file) return errno_error("open " + directory, errno);
  // Some file systems (FUSE, 9p) cannot sync a directory and say EINVAL; they do it on their own.
  if (::fsync(file.get()) != 0 && errno != EINVAL) return errno_error("fsync " + directory, errno);
  return {};
}

Result<void> replace_file_durably(const std::string& path, std::string_view content, mode_t mode) {
  const std::string next = path + ".new";
  if (auto written = write_new_file(next, content, mode); !written) {
    ::unlink(next.c_str());
    return written;
  }
  if (::rename(next.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(next.c_str());
    return errno_error("rename " + next, error_number);
  }
  return sync_directory_of(path);
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return errno_error("open " + path, errno);
  std::string content;
  std::size_t size = 0;
  while (true) {
    if (size == content.size()) {
      if (size > bytes_max) {
        return Error{ErrorKind::OutOfRange, path + " is larger than " + std::to_string(bytes_max) + " bytes"};
      }
      content.resize(std::min(std::max<std::size_t>(size * 2, 4096), bytes_max + 1));
    }
    const ssize_t count = ::read(file.get(), content.data() + size, content.size() - size);
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno_error("read " + path, errno);
    }
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > bytes_max) {
    return Error{ErrorKind::OutOfRange, path + " is larger than " + std::to_string(bytes_max) + " bytes"};
  }
  content.resize(size);
  return content;
}

Result<void> remove_file_durably(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return errno_error("remove " + path, errno);
  }
  return sync_directory_of(path);
}

}  // namespace fieldpost
