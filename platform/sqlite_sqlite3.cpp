// SPDX-License-Identifier: Apache-2.0
// SQLite's C interface, its result codes turned into our error kinds. Nothing of it is seen outside.
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "platform/sqlite.hpp"

namespace fieldpost {
namespace {

/// `error_number`: what the system said last, which SQLite keeps for the codes that do not tell.
ErrorKind kind_of(int code, int error_number) {
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::Malformed;
    case SQLITE_FULL:
      return ErrorKind::Full;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorKind::Denied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorKind::Unavailable;
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
      return ErrorKind::OutOfRange;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      // unixWrite() knows ENOSPC only, not a user's quota.
      return error_number == 0 ? ErrorKind::Io : errno_error("", error_number).kind();
    case SQLITE_NOMEM:
      return ErrorKind::Io;
    default:
      return ErrorKind::Bug;  // wrong SQL, wrong parameter, wrong order of calls
  }
}

/// A page that the disk refuses to give comes out of a statement as SQLITE_CORRUPT; only errno tells it from a page that
/// makes no sense. So errno is cleared before each call.
Error last_error(sqlite3* connection, std::string_view what) {
  const bool is_unreadable = errno == EIO;
  const int code = sqlite3_extended_errcode(connection);
  const bool is_corrupt = (code & 0xFF) == SQLITE_CORRUPT;
  return Error{
      is_corrupt && is_unreadable ? ErrorKind::Io : kind_of(code, sqlite3_system_errno(connection)),
      std::string{what} + ": " + sqlite3_errmsg(connection) + " (SQLite " + std::to_string(code) + ")"};
}

/// The one column of the one row that a PRAGMA answers with; empty when there is none.
Result<std::string> ask(Sqlite& database, const std::string& sql) {
  SqliteStatement statement = TRY(database.prepare(sql));
  std::string answer;
  if (TRY(statement.step())) answer = statement.text(0);
  return answer;
}

}  // namespace

// --- SqliteStatement -----------------------------------------------------------------------------

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : statement_{std::exchange(other.statement_, nullptr)}, bind_code_{std::exchange(other.bind_code_, 0)} {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    statement_ = std::exchange(other.statement_, nullptr);
    bind_code_ = std::exchange(other.bind_code_, 0);
  }
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

void SqliteStatement::remember(int code) {
  if (code != SQLITE_OK && bind_code_ == SQLITE_OK) bind_code_ = code;
}

void SqliteStatement::bind(int parameter, std::int64_t value) {
  remember(sqlite3_bind_int64(statement_, parameter, value));
}

void SqliteStatement::bind(int parameter, double value) {
  remember(sqlite3_bind_double(statement_, parameter, value));
}

void SqliteStatement::bind(int parameter, std::string_view text) {
  // A null pointer would bind NULL instead of an empty text.
  const char* const bytes = text.data() == nullptr ? "" : text.data();
  remember(sqlite3_bind_text64(statement_, parameter, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void SqliteStatement::bind(int parameter, std::span<const std::byte> blob) {
  const void* const bytes = blob.data() == nullptr ? "" : static_cast<const void*>(blob.data());
  remember(sqlite3_bind_blob64(statement_, parameter, bytes, blob.size(), SQLITE_STATIC));
}

void SqliteStatement::bind_null(int parameter) { remember(sqlite3_bind_null(statement_, parameter)); }

Result<bool> SqliteStatement::step() {
  if (statement_ == nullptr) return Error{ErrorKind::Bug, "step of a statement that was not prepared"};
  if (const int code = std::exchange(bind_code_, SQLITE_OK); code != SQLITE_OK) {
    reset();
    return Error{kind_of(code, 0),
                 std::string{"bind to \""} + sqlite3_sql(statement_) + "\": " + sqlite3_errstr(code)};
  }
  errno = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  // Before reset(): it replaces the system's errno.
  Error error = last_error(sqlite3_db_handle(statement_), sqlite3_sql(statement_));
  reset();
  return error;
}

Result<void> SqliteStatement::run() {
  while (TRY(step())) {
  }
  return {};
}

void SqliteStatement::reset() { sqlite3_reset(statement_); }

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double SqliteStatement::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view SqliteStatement::text(int column) const {
  // In this order: the length is that of the form asked for last.
  const auto* const bytes = sqlite3_column_text(statement_, column);
  const int length = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(length)};  // NOLINT: unsigned char to char
}

std::span<const std::byte> SqliteStatement::blob(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_, column);
  const int length = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(length)};
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

bool SqliteStatement::is_text(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_TEXT;
}

int SqliteStatement::columns() const { return sqlite3_column_count(statement_); }
std::string_view SqliteStatement::column_name(int column) const { return sqlite3_column_name(statement_, column); }

// --- Sqlite --------------------------------------------------------------------------------------

Result<Sqlite> Sqlite::open(const std::string& path, const Options& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (options.read_only) {
    flags |= SQLITE_OPEN_READONLY;
  } else {
    flags |= SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0);
  }
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &connection, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  Sqlite database{connection};  // also after a failure there is something to close
  if (connection == nullptr) return Error{ErrorKind::Io, "open " + path + ": memory is short"};
  if (code != SQLITE_OK) return last_error(connection, "open " + path);

  auto configured = database.configure(options);
  // The settings are ours and right: what they stumble over is the file (a header of an unknown format
  // or encoding is SQLITE_ERROR, not SQLITE_CORRUPT).
  if (!configured && configured.error().kind() == ErrorKind::Bug) {
    return Error{ErrorKind::Malformed, configured.error().sentence()}.with_context(path);
  }
  if (!configured) return configured.error().with_context(path);
  return database;
}

Result<void> Sqlite::configure(const Options& options) {
  // Against files made by others: no SQL function runs because a schema says so, no statement writes
  // into the b-tree pages themselves, and a cell is checked before it is believed.
  for (const auto& [setting, value] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                       {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                       {SQLITE_DBCONFIG_DQS_DML, 0},
                                       {SQLITE_DBCONFIG_DQS_DDL, 0}}) {
    if (sqlite3_db_config(connection_, setting, value, nullptr) != SQLITE_OK)
      return last_error(connection_, "configure");
  }
  TRY(execute("PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0"));
  // Before anything that reads the file, and the size of the cache does: a log once opened with a -shm file
  // keeps it.
  if (options.exclusive && !options.read_only) TRY(execute("PRAGMA locking_mode = EXCLUSIVE"));
  TRY(execute(("PRAGMA cache_size = -" + std::to_string(options.cache_bytes / 1024)).c_str()));
  if (options.read_only) {
    // The first look at the file; here "not a database" shows.
    TRY(ask(*this, "SELECT count(*) FROM sqlite_schema"));
    return {};
  }

  // A page size counts only before the first page.
  TRY(execute(("PRAGMA page_size = " + std::to_string(options.page_bytes)).c_str()));
  const std::string mode = TRY(ask(*this, "PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return Error{ErrorKind::Io,
                 "the file system cannot keep a write-ahead log (journal mode stays " + mode + ")"};
  }
  TRY(execute("PRAGMA synchronous = FULL"));
  const std::int64_t wal_pages = std::max<std::int64_t>(options.wal_bytes_max / options.page_bytes, 1);
  TRY(execute(("PRAGMA wal_autocheckpoint = " + std::to_string(wal_pages)).c_str()));
  TRY(execute(("PRAGMA journal_size_limit = " + std::to_string(options.wal_bytes_max)).c_str()));
  if (options.pages_max > 0) {
    TRY(execute(("PRAGMA max_page_count = " + std::to_string(options.pages_max)).c_str()));
  }
  TRY(ask(*this, "SELECT count(*) FROM sqlite_schema"));
  return {};
}

Sqlite::Sqlite(Sqlite&& other) noexcept : connection_{std::exchange(other.connection_, nullptr)} {}

Sqlite& Sqlite::operator=(Sqlite&& other) noexcept {
  if (this != &other) {
    sqlite3_close_v2(connection_);
    connection_ = std::exchange(other.connection_, nullptr);
  }
  return *this;
}

// The second form: a statement that is still alive keeps the connection until it goes, too.
Sqlite::~Sqlite() { sqlite3_close_v2(connection_); }

Result<SqliteStatement> Sqlite::prepare(std::string_view sql) {
  if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return Error{ErrorKind::OutOfRange, "SQL text too long"};
  }
  sqlite3_stmt* statement = nullptr;
  errno = 0;
  const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return last_error(connection_, sql);
  return SqliteStatement{statement};
}

Result<void> Sqlite::execute(const char* sql) {
  errno = 0;
  if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return last_error(connection_, sql);
  return {};
}

Result<void> Sqlite::checkpoint() {
  errno = 0;
  if (sqlite3_wal_checkpoint_v2(connection_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) !=
      SQLITE_OK) {
    return last_error(connection_, "checkpoint");
  }
  return {};
}

Result<void> Sqlite::quick_check() {
  const std::string answer = TRY(ask(*this, "PRAGMA quick_check(1)"));
  if (answer != "ok") return Error{ErrorKind::Malformed, "quick check: " + answer};
  return {};
}

std::int64_t Sqlite::take_pages_written() {
  int pages = 0;
  int highest = 0;
  return sqlite3_db_status(connection_, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 1) == SQLITE_OK ? pages : 0;
}

std::int64_t Sqlite::changes() const { return sqlite3_changes64(connection_); }
std::int64_t Sqlite::last_row_id() const { return sqlite3_last_insert_rowid(connection_); }
bool Sqlite::in_transaction() const { return sqlite3_get_autocommit(connection_) == 0; }

void Sqlite::leave_log() { sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

// --- SqliteTransaction ---------------------------------------------------------------------------

Result<SqliteTransaction> SqliteTransaction::begin(Sqlite& database) {
  TRY(database.execute("BEGIN IMMEDIATE"));
  return SqliteTransaction{database};
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_{std::exchange(other.database_, nullptr)} {}

SqliteTransaction::~SqliteTransaction() {
  // After some errors (full, I/O) SQLite has rolled back already. A rollback that fails leaves nothing
  // to be done: the journal's state decides at the next open.
  if (database_ != nullptr && database_->in_transaction()) {
    static_cast<void>(database_->execute("ROLLBACK"));
  }
}

Result<void> SqliteTransaction::commit() {
  if (database_ == nullptr) return Error{ErrorKind::Bug, "commit of a transaction that has ended"};
  TRY(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace fieldpost
