// SPDX-License-Identifier: Apache-2.0
// SQLite. The library is built without locks (SQLITE_THREADSAFE=0): all connections of the process
// together are used by one thread at a time, and that is the store's worker.
// Only what the store needs: statements with typed binds and columns, transactions, and error kinds
// that tell damage (Malformed) from a full disk (Full), a read-only one (Denied) and the rest (Io).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "platform/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace fieldpost {

class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  /// Parameters count from 1, as in SQL. Text and blobs must live until step() has returned false
  /// or failed. A bind that fails (no such parameter) is reported by the next step().
  void bind(int parameter, std::int64_t value);
  void bind(int parameter, double value);
  void bind(int parameter, std::string_view text);
  void bind(int parameter, std::span<const std::byte> blob);
  void bind_null(int parameter);

  /// True: a row is ready; false: done (and reset, ready to be run again). An error resets, too.
  /// Errors: Full, Denied (read-only), OutOfRange (a constraint), Malformed, Io, Bug (a bind failed)
  Result<bool> step();
  /// Runs to the end, for statements without rows.
  Result<void> run();
  void reset();

  /// Columns count from 0. Views are valid until the next step() or reset().
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::span<const std::byte> blob(int column) const;
  bool is_null(int column) const;
  bool is_text(int column) const;
  int columns() const;
  /// As the query names it: "SELECT queued AS queuedAt".
  std::string_view column_name(int column) const;

 private:
  friend class Sqlite;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_{statement} {}
  void remember(int code);
  sqlite3_stmt* statement_ = nullptr;
  int bind_code_ = 0;  ///< of the first bind that failed since the last step()
};

class Sqlite {
 public:
  struct Options {
    /// For looking at a database that no agent has open, exclusively or not.
    bool read_only = false;
    bool create = true;
    bool exclusive = true;                 ///< locking_mode=EXCLUSIVE: no -shm file, nobody else writes
    std::int64_t pages_max = 0;            ///< max_page_count; 0 = SQLite's own limit
    std::int64_t wal_bytes_max = 1 << 20;  ///< journal_size_limit
    int page_bytes = 4096;
    std::int64_t cache_bytes = 256 << 10;  ///< SQLite's own default is 2 MiB a connection
    std::string vfs{};                     ///< a VFS registered by a test; empty = the platform's
  };

  /// Opens in WAL mode with synchronous=FULL, and reads the schema, so that a file which is no
  /// database is found out here.
  /// Errors: NotPresent, Malformed (not a database, or damaged), Denied, Full, Io,
  ///         Unavailable (another process has it)
  static Result<Sqlite> open(const std::string& path, const Options& options);

  Sqlite(Sqlite&& other) noexcept;
  Sqlite& operator=(Sqlite&& other) noexcept;
  ~Sqlite();

  /// Errors: Bug (wrong SQL, no such table), Malformed, Io
  Result<SqliteStatement> prepare(std::string_view sql);
  /// Runs one or more statements that return no rows.
  /// Errors: Full, Denied (read-only), OutOfRange (a constraint), Malformed, Io, Bug
  Result<void> execute(const char* sql);
  /// PASSIVE: as much as can be done without waiting.
  Result<void> checkpoint();
  /// Reads all pages and checks the b-trees, not the content of cells. Blocks: as long as reading the
  /// file takes. Errors: Malformed (with the first thing found), Io
  Result<void> quick_check();
  /// Pages written to the log since this was last asked. Each is written once more, at most, when the log is written back.
  std::int64_t take_pages_written();
  std::int64_t changes() const;
  std::int64_t last_row_id() const;
  bool in_transaction() const;
  /// Closing will neither write the log back nor remove it: under its name another one may stand by now.
  void leave_log();

 private:
  explicit Sqlite(sqlite3* connection) : connection_{connection} {}
  Result<void> configure(const Options& options);
  sqlite3* connection_ = nullptr;
};

/// BEGIN IMMEDIATE now, ROLLBACK when destroyed unless commit() succeeded. The database must neither
/// move nor go meanwhile.
class SqliteTransaction {
 public:
  /// Errors: Unavailable (another process writes), Denied, Full, Io, Bug (one is open already)
  static Result<SqliteTransaction> begin(Sqlite& database);
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  /// On failure nothing of the transaction is kept.
  /// Errors: Full, Io
  Result<void> commit();

 private:
  explicit SqliteTransaction(Sqlite& database) : database_{&database} {}
  Sqlite* database_ = nullptr;
};

}  // namespace fieldpost
