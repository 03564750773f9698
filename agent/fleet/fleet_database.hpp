// SPDX-License-Identifier: Apache-2.0
// All that the fleet server knows, in one SQLite file. Errors stick: after the first one nothing more is done, and
// commit() gives it and keeps nothing of the transaction. So whoever writes need not look at every step, and nothing is
// answered before commit() has said yes.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/json.hpp"
#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

class FleetDatabase {
 public:
  static constexpr std::int64_t kSchemaVersion = 1;

  /// A parameter: a number, or a text (lent until the rows are done). Two words: there are hundreds of them.
  class Value {
   public:
    // NOLINTBEGIN(google-explicit-constructor): they stand in lists of parameters
    template <std::integral T>
    Value(T number) : number_{static_cast<std::int64_t>(number)} {}
    Value(std::string_view text) : text_{text.empty() ? "" : text.data()}, number_{static_cast<std::int64_t>(text.size())} {}
    Value(const std::string& text) : Value{std::string_view{text}} {}
    Value(const char* text) : Value{std::string_view{text}} {}
    // NOLINTEND(google-explicit-constructor)
    void bind(SqliteStatement& statement, int parameter) const;

   private:
    const char* text_ = nullptr;  ///< nothing: it is the number, or else the number is its bytes
    std::int64_t number_ = 0;
  };
  using Values = std::initializer_list<Value>;

  /// What a query gives. Views are valid until the next next().
  class Rows {
   public:
    bool next();
    std::int64_t integer(int column) const { return statement_.integer(column); }
    std::string text(int column) const { return std::string{statement_.text(column)}; }
    bool is_null(int column) const { return statement_.is_null(column); }
    /// The present row as members of an object that is open. Columns that are NULL are left out; one whose name ends in
    /// "{}" holds JSON.
    void write(JsonWriter& json) const;
    /// All that are left, as an array of objects; no more once the text has `bytes_max`.
    void write_all(JsonWriter& json, std::size_t bytes_max = SIZE_MAX);

   private:
    friend class FleetDatabase;
    Rows(FleetDatabase& database, SqliteStatement statement) : database_{database}, statement_{std::move(statement)} {}
    FleetDatabase& database_;
    SqliteStatement statement_;
  };

  /// Errors: as Sqlite::open, and OutOfRange (made by a newer version)
  static Result<std::unique_ptr<FleetDatabase>> open(const std::string& path);

  Rows ask(const char* sql, Values values = {});
  /// Begins a transaction if there is none. Gives the number of rows changed.
  std::int64_t run(const char* sql, Values values = {});
  /// Blocks: as long as the disk takes; nothing to do costs nothing.
  Result<void> commit();
  void roll_back();

 private:
  explicit FleetDatabase(Sqlite database) : database_{std::move(database)} {}
  Result<void> make_tables();
  bool took(const Result<void>& result);

  Sqlite database_;
  std::optional<Error> error_;
};

}  // namespace fieldpost
