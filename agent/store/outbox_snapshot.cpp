// SPDX-License-Identifier: Apache-2.0
// The database first, its log second, and the log's header looked at before and after.
#include "agent/store/outbox_snapshot.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kLogHeaderBytes = 32;
constexpr std::size_t kBlockBytes = 256U << 10U;

/// What SQLite writes at the start of a log: the salts in it change whenever it is begun anew. Empty for
/// a log that is not there or empty.
Result<std::string> log_header(const std::string& database) {
  const std::string path = database + "-wal";
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) {
    if (errno == ENOENT) return std::string{};
    return errno_error("open " + path, errno);
  }
  std::string header(kLogHeaderBytes, '\0');
  const ssize_t count = ::pread(file.get(), header.data(), header.size(), 0);
  if (count < 0) return errno_error("read " + path, errno);
  header.resize(static_cast<std::size_t>(count));
  return header;
}

Result<void> write_all(int descriptor, const char* bytes, std::size_t count, const std::string& path) {
  while (count > 0) {
    const ssize_t written = ::write(descriptor, bytes, count);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno_error("write " + path, errno);
    }
    bytes += written;
    count -= static_cast<std::size_t>(written);
  }
  return {};
}

Result<void> copy(const std::string& from, const std::string& to, bool may_be_missing) {
  const FileDescriptor source{::open(from.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!source) {
    if (errno == ENOENT && may_be_missing) return {};
    return errno_error("open " + from, errno);
  }
  const FileDescriptor target{::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!target) return errno_error("create " + to, errno);
  std::string block(kBlockBytes, '\0');
  while (true) {
    const ssize_t count = ::read(source.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error("read " + from, errno);
    if (count == 0) return {};
    TRY(write_all(target.get(), block.data(), static_cast<std::size_t>(count), to));
  }
}

}  // namespace

Result<OutboxSnapshot> OutboxSnapshot::take(const std::string& directory) {
  const char* const wanted = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody calls setenv()
  std::string place = std::string{wanted == nullptr || *wanted == '\0' ? "/var/tmp" : wanted} + "/fieldpost-dump-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) return errno_error("make " + place, errno);
  OutboxSnapshot snapshot{place};
  const std::string database = directory + "/outbox.db";
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const std::string before = TRY(log_header(database));
    TRY(copy(database, snapshot.path(), false));
    ::unlink((snapshot.path() + "-wal").c_str());
    TRY(copy(database + "-wal", snapshot.path() + "-wal", true));
    if (before == TRY(log_header(database))) return snapshot;
  }
  return Error{ErrorKind::Unavailable, database + " changes faster than it can be copied"};
}

OutboxSnapshot::~OutboxSnapshot() {
  if (directory_.empty()) return;
  for (const char* name : {"/outbox.db", "/outbox.db-wal", "/outbox.db-shm"}) ::unlink((directory_ + name).c_str());
  ::rmdir(directory_.c_str());
}

}  // namespace fieldpost
