// SPDX-License-Identifier: Apache-2.0
// Reading below a root. Links inside a captured tree are followed here, by hand: the kernel would
// take an absolute one to the machine's own /sys (openat2 with RESOLVE_IN_ROOT would not, but the
// oldest kernels we run on lack it, and a captured tree is never on the hot path).
#include "platform/file_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <charconv>
#include <memory>
#include <utility>

namespace fieldpost {
namespace {

constexpr int kLinksMax = 40;  // as the kernel's MAXSYMLINKS
constexpr std::size_t kFirstBufferBytes = 4096;

/// Most /proc files are written by the kernel line by line into one page and handed out when the
/// next line does not fit any more; a page that is not even half full was the last one. Lines of
/// more than half a page exist only in files nobody keeps open (mountinfo with its overlays).
constexpr std::size_t kSurelyLastBytes = 2048;

std::optional<std::string> read_one_link(const std::string& path) {
  std::array<char, 4096> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return std::nullopt;
  return std::string{target.data(), static_cast<std::size_t>(length)};
}

/// Reads from `descriptor` at 0 until its end. `enough`: a first read this short is the whole file.
/// On failure, errno; Full stands for "larger than allowed".
struct ReadFailure {
  int error_number = 0;
  bool too_large = false;
};

std::optional<ReadFailure> read_all(int descriptor, std::string& buffer, std::size_t& size,
                                    std::size_t enough) {
  if (buffer.empty()) buffer.resize(kFirstBufferBytes);
  size = 0;
  while (true) {
    if (size == buffer.size()) {
      // One byte more than allowed is read, to tell "exactly the maximum" from "too large".
      if (size > FileTree::kFileBytesMax) return ReadFailure{.error_number = 0, .too_large = true};
      buffer.resize(std::min(buffer.size() * 2, FileTree::kFileBytesMax + 1));
    }
    const ssize_t count =
        ::pread(descriptor, buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (count < 0) {
      if (errno == EINTR) continue;
      return ReadFailure{.error_number = errno, .too_large = false};
    }
    if (count == 0) break;
    const bool first = size == 0;
    size += static_cast<std::size_t>(count);
    if (first && size <= enough && size < buffer.size()) break;
  }
  if (size > FileTree::kFileBytesMax) return ReadFailure{.error_number = 0, .too_large = true};
  return std::nullopt;
}

Error to_error(const ReadFailure& failure, std::string_view path) {
  if (failure.too_large) {
    return Error{ErrorKind::OutOfRange,
                 std::string{path} + " is larger than " + std::to_string(FileTree::kFileBytesMax) + " bytes"};
  }
  return errno_error("read " + std::string{path}, failure.error_number);
}

Result<FileDescriptor> open_file(const std::string& resolved, std::string_view path) {
  // O_NONBLOCK: a fifo in somebody's captured tree must not stop the agent.
  FileDescriptor file{::open(resolved.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return errno_error("open " + std::string{path}, errno);
  return file;
}

std::string_view trimmed(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n\v\f");
  return end == std::string_view::npos ? std::string_view{} : text.substr(0, end + 1);
}

/// Puts the components of `path` on top of `pending`, the first uppermost.
void push_components(std::vector<std::string>& pending, std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!name.empty() && name != ".") pending.emplace_back(name);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
}

std::string resolve_below(const std::string& root, std::string_view path, bool follow_last) {
  std::vector<std::string> pending;
  push_components(pending, path);
  std::string below;  // what has been resolved, without the root
  int links = 0;
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (name == "..") {  // the root's parent is the root
      below.resize(below.empty() ? 0 : below.rfind('/'));
      continue;
    }
    std::string next = below;
    next.append("/").append(name);
    const bool follow = follow_last || !pending.empty();
    const auto target = follow ? read_one_link(root + next) : std::nullopt;
    if (!target) {
      below = std::move(next);
      continue;
    }
    // A loop, or as good as one. Left to the kernel it would follow the rest out of the tree; a path that no kernel
    // takes is an error of the caller's call.
    if (++links > kLinksMax) return root + '/' + std::string(PATH_MAX, '@');
    if (target->starts_with('/')) below.clear();
    push_components(pending, *target);
  }
  return below.empty() ? root : root + below;
}

}  // namespace

KeptFile::KeptFile(FileDescriptor descriptor, std::string path)
    : descriptor_{std::move(descriptor)}, path_{std::move(path)} {}

Result<std::string_view> KeptFile::read() {
  std::size_t size = 0;
  if (const auto failure = read_all(descriptor_.get(), buffer_, size, kSurelyLastBytes)) {
    return to_error(*failure, path_);
  }
  return std::string_view{buffer_.data(), size};
}

FileTree::FileTree(std::string root) : root_{std::move(root)} {
  while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
  if (root_.empty()) root_ = "/";
}

std::string FileTree::resolve(std::string_view path) const { return locate(path, true); }

std::string FileTree::locate(std::string_view path, bool follow_last) const {
  if (is_machine()) return std::string{path};
  return resolve_below(root_, path, follow_last);
}

Result<std::string> FileTree::read(std::string_view path) const {
  const FileDescriptor file = TRY(open_file(resolve(path), path));
  std::string buffer;
  std::size_t size = 0;
  if (const auto failure = read_all(file.get(), buffer, size, 0)) return to_error(*failure, path);
  buffer.resize(size);
  return buffer;
}

Result<std::string> FileTree::read_line(std::string_view path) const {
  std::string text = TRY(read(path));
  text.resize(trimmed(text).size());
  return text;
}

Result<std::int64_t> FileTree::read_integer(std::string_view path) const {
  const std::string text = TRY(read_line(path));
  const auto start = text.find_first_not_of(" \t");
  const std::string_view number =
      start == std::string::npos ? std::string_view{} : std::string_view{text}.substr(start);
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (problem != std::errc{} || end != number.data() + number.size()) {
    return Error{ErrorKind::Malformed,
                 std::string{path} + ": \"" + text.substr(0, 40) + "\" is not a whole number"};
  }
  return value;
}

Result<KeptFile> FileTree::keep(std::string_view path) const {
  return KeptFile{TRY(open_file(resolve(path), path)), std::string{path}};
}

Result<std::vector<std::string>> FileTree::list(std::string_view path) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{::opendir(resolve(path).c_str()), ::closedir};
  if (!directory) return errno_error("list " + std::string{path}, errno);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe for a stream that only one thread uses (POSIX.1-2024)
    const dirent* const entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name{static_cast<const char*>(entry->d_name)};
    if (name == "." || name == "..") continue;
    if (names.size() >= kEntriesMax) {
      return Error{ErrorKind::OutOfRange,
                   std::string{path} + " has more than " + std::to_string(kEntriesMax) + " entries"};
    }
    names.emplace_back(name);
  }
  if (errno != 0) return errno_error("list " + std::string{path}, errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool FileTree::exists(std::string_view path) const {
  struct stat status {};
  return ::stat(resolve(path).c_str(), &status) == 0;
}

Result<std::string> FileTree::read_link(std::string_view path) const {
  auto target = read_one_link(locate(path, false));
  if (!target) return errno_error("read link " + std::string{path}, errno);
  return *std::move(target);
}

}  // namespace fieldpost
