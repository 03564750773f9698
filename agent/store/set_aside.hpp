// SPDX-License-Identifier: Apache-2.0
// A database that cannot be used is renamed, not deleted: "outbox.db.damaged-20261120T134827Z", its
// write-ahead log with it (the two belong together). A bounded number of them is kept.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Damaged copies kept of each database; one may be as large as the quota.
inline constexpr std::size_t kDamagedKeptMax = 2;

/// Renames `path`, `path`-wal and removes `path`-shm; removes the oldest copies beyond kDamagedKeptMax, but never the new one
/// nor `kept`. Returns the new name. A file that is not there is fine.
///
/// Errors:   Denied, Io
/// Requires: nobody has the database open
Result<std::string> set_aside(const std::string& path, UtcTime now, const std::string& kept = {});

/// The copies of `path` that were set aside, oldest first, without their logs.
std::vector<std::string> copies_set_aside(const std::string& path);

/// Removes them, oldest first, all but so many; those `kept` are never removed, and count among these.
void remove_copies_set_aside(const std::string& path, std::size_t count_kept, const std::vector<std::string>& kept);

}  // namespace fieldpost
