// SPDX-License-Identifier: Apache-2.0
#include "agent/store/schema.hpp"

#include <unistd.h>

#include <string>

namespace fieldpost {

Result<void> make_tables(Sqlite& database, const char* schema, std::string_view tables) {
  auto statement = TRY(database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"));
  std::string found;
  while (TRY(statement.step())) found += std::string{statement.text(0)} + " ";
  if (found == tables) return {};
  if (!found.empty()) return Error{ErrorKind::Malformed, "the tables are not ours: " + found};
  // In one transaction: half a schema would look like damage.
  auto transaction = TRY(SqliteTransaction::begin(database));
  TRY(database.execute(schema));
  return transaction.commit();
}

bool is_damage(const Error& error, const std::string& path) noexcept {
  switch (error.kind()) {
    case ErrorKind::Malformed:
    case ErrorKind::Bug:
    case ErrorKind::OutOfRange:
      return true;
    case ErrorKind::Denied: {
      const std::string directory = path.substr(0, path.rfind('/'));
      const std::string log = path + "-wal";
      const bool log_writable = ::access(log.c_str(), F_OK) != 0 || ::access(log.c_str(), W_OK) == 0;
      return ::access(path.c_str(), W_OK) == 0 && ::access(directory.c_str(), W_OK) == 0 && log_writable;
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
