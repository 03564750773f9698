// SPDX-License-Identifier: Apache-2.0
// Making the tables of a new database, and telling one of ours from one that damage has changed.
#pragma once

#include <string>
#include <string_view>

#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

/// Runs `schema` if the database is empty. `tables`: the names that must be there, sorted, each with a
/// blank behind it. (CREATE TABLE IF NOT EXISTS would make a second, empty table beside one whose name
/// was damaged, and nobody would miss the rows.)
///
/// Errors: Malformed (other tables), Denied, Full, Io
Result<void> make_tables(Sqlite& database, const char* schema, std::string_view tables);

/// True for an error that only a damaged database can cause here. Our statements are right (tests run
/// them all), so a column that is not there, or two equal keys, are damage like a page that makes no sense;
/// and so is "read-only" of a file that we may write: one byte of its header says which versions may.
bool is_damage(const Error& error, const std::string& path) noexcept;

}  // namespace fieldpost
