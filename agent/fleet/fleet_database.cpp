// SPDX-License-Identifier: Apache-2.0
// Instants are whole seconds of UTC, as AWS gives them. `place` is the order in which devices are told of a job.
#include "agent/fleet/fleet_database.hpp"

namespace fieldpost {
namespace {

constexpr const char* kSchema =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE device(name TEXT PRIMARY KEY, online INTEGER, seen INTEGER, version TEXT, started TEXT) WITHOUT ROWID;"
    "CREATE TABLE member(label TEXT, device TEXT, PRIMARY KEY(label, device)) WITHOUT ROWID;"
    "CREATE INDEX member_device ON member(device);"
    "CREATE TABLE job(id TEXT PRIMARY KEY, document TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, created INTEGER NOT NULL,"
    " ended INTEGER, next_us INTEGER NOT NULL DEFAULT 0, per_minute INTEGER NOT NULL, per_minute_max INTEGER NOT NULL,"
    " increment_percent INTEGER NOT NULL, increment_after INTEGER NOT NULL, by_success INTEGER NOT NULL,"
    " abort_hundredths INTEGER NOT NULL, abort_min INTEGER NOT NULL, abort_running INTEGER NOT NULL,"
    " timeout_minutes INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE execution(device TEXT, job TEXT, place INTEGER NOT NULL, status TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 1,"
    " number INTEGER NOT NULL DEFAULT 1, queued INTEGER, started INTEGER, updated INTEGER, limit_at INTEGER, deadline INTEGER,"
    " details TEXT, PRIMARY KEY(device, job)) WITHOUT ROWID;"
    "CREATE INDEX execution_job ON execution(job, status, place);"
    "CREATE INDEX execution_deadline ON execution(deadline) WHERE deadline IS NOT NULL;"
    "CREATE TABLE shadow(device TEXT, name TEXT, version INTEGER NOT NULL, updated INTEGER NOT NULL, desired TEXT, reported TEXT,"
    " PRIMARY KEY(device, name)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "COMMIT";

}  // namespace

void FleetDatabase::Value::bind(SqliteStatement& statement, int parameter) const {
  if (text_ == nullptr) return statement.bind(parameter, number_);
  statement.bind(parameter, std::string_view{text_, static_cast<std::size_t>(number_)});
}

bool FleetDatabase::Rows::next() {
  if (database_.error_) return false;
  const auto row = statement_.step();
  if (!row) database_.error_ = row.error();
  return row && *row;
}

void FleetDatabase::Rows::write(JsonWriter& json) const {
  for (int column = 0; column < statement_.columns(); ++column) {
    std::string_view name = statement_.column_name(column);
    if (is_null(column)) continue;
    const bool is_json = name.ends_with("{}");
    if (is_json) name.remove_suffix(2);
    json.key(name);
    if (is_json) {
      json.raw(statement_.text(column));
    } else if (statement_.is_text(column)) {
      json.value(statement_.text(column));
    } else {
      json.value(integer(column));
    }
  }
}

void FleetDatabase::Rows::write_all(JsonWriter& json, std::size_t bytes_max) {
  json.begin_array();
  while (json.bytes() < bytes_max && next()) {
    json.begin_object();
    write(json);
    json.end_object();
  }
  json.end_array();
}

Result<std::unique_ptr<FleetDatabase>> FleetDatabase::open(const std::string& path) {
  Sqlite::Options options;
  options.cache_bytes = 1 << 20;
  Sqlite database = TRY(Sqlite::open(path, options));
  std::unique_ptr<FleetDatabase> made{new FleetDatabase{std::move(database)}};
  TRY(made->make_tables());
  return made;
}

Result<void> FleetDatabase::make_tables() {
  auto version = TRY(database_.prepare("PRAGMA user_version"));
  TRY(version.step());
  const std::int64_t found = version.integer(0);
  version.reset();
  if (found > kSchemaVersion) return Error{ErrorKind::OutOfRange, "made by a newer version of fieldpost"};
  if (found == 0) TRY(database_.execute(kSchema));
  return {};
}

bool FleetDatabase::took(const Result<void>& result) {
  if (!result && !error_) error_ = result.error();
  return !error_;
}

FleetDatabase::Rows FleetDatabase::ask(const char* sql, Values values) {
  SqliteStatement statement;
  if (!error_) {
    auto prepared = database_.prepare(sql);
    if (prepared) {
      statement = std::move(*prepared);
      int parameter = 0;
      for (const Value& value : values) value.bind(statement, ++parameter);
    } else {
      error_ = prepared.error();
    }
  }
  return Rows{*this, std::move(statement)};
}

std::int64_t FleetDatabase::run(const char* sql, Values values) {
  if (!error_ && !database_.in_transaction()) took(database_.execute("BEGIN IMMEDIATE"));
  Rows rows = ask(sql, values);
  while (rows.next()) {
  }
  return error_ ? 0 : database_.changes();
}

Result<void> FleetDatabase::commit() {
  if (!error_ && database_.in_transaction()) took(database_.execute("COMMIT"));
  if (!error_) return {};
  const Error error = *error_;
  roll_back();
  return error;
}

void FleetDatabase::roll_back() {
  error_.reset();
  if (database_.in_transaction()) static_cast<void>(database_.execute("ROLLBACK"));
}

}  // namespace fieldpost
