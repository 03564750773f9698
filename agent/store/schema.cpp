// SPDX-License-Identifier: Apache-2.0
#include "agent/store/schema.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "platform/file_descriptor.hpp"

namespace fieldpost {

Result<void> make_tables(Sqlite& database, const char* schema, std::span<const std::string_view> tables) {
  auto statement = TRY(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'"));
  std::set<std::string, std::less<>> found;
  while (TRY(statement.step())) found.emplace(statement.text(0));
  if (!found.empty()) {
    const auto missing = std::find_if(tables.begin(), tables.end(), [&found](std::string_view table) { return !found.contains(table); });
    if (missing == tables.end()) return {};
    return Error{ErrorKind::Malformed, "the tables are not ours: there is no " + std::string{*missing}};
  }
  // In one transaction: half a schema would look like damage.
  auto transaction = TRY(SqliteTransaction::begin(database));
  TRY(database.execute(schema));
  return transaction.commit();
}

namespace {

/// Tried, not asked: where no descriptor is left, SQLite opens for reading only as well, and says "read-only".
bool is_writable(const std::string& path) { return FileDescriptor{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK)}.get() >= 0; }

}  // namespace

bool is_damage(const Error& error, const std::string& path) noexcept {
  // A directory or a pipe in its place, whatever SQLite makes of it.
  for (const std::string& file : {path, path + "-wal"}) {
    struct stat found {};
    if (::stat(file.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) return true;
  }
  switch (error.kind()) {
    case ErrorKind::Malformed:
    case ErrorKind::Bug:
    case ErrorKind::OutOfRange:
      return true;
    case ErrorKind::Denied: {
      const std::string directory = path.substr(0, path.rfind('/'));
      const std::string log = path + "-wal";
      return is_writable(path) && ::access(directory.c_str(), W_OK) == 0 && (::access(log.c_str(), F_OK) != 0 || is_writable(log));
    }
    case ErrorKind::NotPresent:
    case ErrorKind::Io:
    case ErrorKind::Timeout:
    case ErrorKind::Unavailable:
    case ErrorKind::Full:
      break;
  }
  return false;
}

}  // namespace fieldpost
