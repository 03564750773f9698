// SPDX-License-Identifier: Apache-2.0
// Making the tables of a new database, and telling one of ours from one that damage has changed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

/// Runs `schema` if the database is empty. Else each of `tables` must be there; others are a later version's,
/// and no harm. (CREATE TABLE IF NOT EXISTS would make a second, empty table beside one whose name was damaged,
/// and nobody would miss the rows.)
///
/// Errors: Malformed (a table is missing), Denied, Full, Io
Result<void> make_tables(Sqlite& database, const char* schema, std::span<const std::string_view> tables);

/// True for an error that only a damaged database can cause here. Our statements are right (tests run
/// them all), so a column that is not there, or two equal keys, are damage like a page that makes no sense;
/// and so is "read-only" of a file that we may write: one byte of its header says which versions may.
bool is_damage(const Error& error, const std::string& path) noexcept;

}  // namespace fieldpost
