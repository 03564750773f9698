// SPDX-License-Identifier: Apache-2.0
// The file system below a root: "/" on a real machine, a captured tree in tests and with --root.
// Paths are absolute as the kernel documents them ("/proc/stat"); the root is put in front, and
// absolute symbolic links inside a captured tree are resolved inside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// A /proc or /sys file kept open and re-read with pread(2): one system call a read for files up to
/// 2 KiB (two up to 4 KiB, and so on), no allocation once its buffer has grown. Not for files with
/// single lines of more than 2 KiB among shorter ones (mountinfo): see file_tree.cpp.
class KeptFile {
 public:
  KeptFile() = default;
  KeptFile(FileDescriptor descriptor, std::string path);

  /// The whole content; valid until the next read.
  /// Errors: NotPresent (ENODEV, ENXIO: the device went away), Unavailable (EAGAIN), Io;
  ///         OutOfRange when the file is larger than kFileBytesMax
  Result<std::string_view> read();

  const std::string& path() const noexcept { return path_; }

 private:
  FileDescriptor descriptor_;
  std::string path_;
  std::string buffer_;
};

class FileTree {
 public:
  /// A file read whole may have at most this many bytes.
  static constexpr std::size_t kFileBytesMax = 4U << 20U;
  /// A directory listed may have at most this many entries.
  static constexpr std::size_t kEntriesMax = 65'536;

  explicit FileTree(std::string root = "/");

  const std::string& root() const noexcept { return root_; }
  /// True when this is the machine itself; drivers that ask the kernel by system call or netlink
  /// look at the captured stand-in (hal/README.md) when it is not.
  bool is_machine() const noexcept { return root_ == "/"; }

  /// The path with the root in front and every link in it followed inside the tree. What does not
  /// exist is left as it is; a loop of links fails when the path is used.
  std::string resolve(std::string_view path) const;

  /// The whole file. Errors: NotPresent, Denied, Io, OutOfRange
  Result<std::string> read(std::string_view path) const;

  /// The file without trailing white space; for one-line sysfs attributes.
  Result<std::string> read_line(std::string_view path) const;

  /// One whole number in a file. Errors: as read, and Malformed
  Result<std::int64_t> read_integer(std::string_view path) const;

  /// Opens for repeated reading. Errors: NotPresent, Denied, Io
  Result<KeptFile> keep(std::string_view path) const;

  /// Names in a directory, sorted, without "." and "..".
  /// Errors: NotPresent, Denied, Io, OutOfRange
  Result<std::vector<std::string>> list(std::string_view path) const;

  bool exists(std::string_view path) const;

  /// Where a symbolic link points (last component only matters to most callers).
  /// Errors: NotPresent, Io (it is no link)
  Result<std::string> read_link(std::string_view path) const;

 private:
  std::string locate(std::string_view path, bool follow_last) const;

  std::string root_;
};

}  // namespace fieldpost
