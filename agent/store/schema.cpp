// SPDX-License-Identifier: Apache-2.0
#include "agent/store/schema.hpp"

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

bool is_damage(const Error& error) noexcept {
  return error.kind() == ErrorKind::Malformed || error.kind() == ErrorKind::Bug || error.kind() == ErrorKind::OutOfRange;
}

}  // namespace fieldpost
