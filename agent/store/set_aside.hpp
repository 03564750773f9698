// SPDX-License-Identifier: Apache-2.0
// A database that cannot be used is renamed, not deleted: "outbox.db.damaged-20261120T134827Z", its
// write-ahead log with it (the two belong together). A bounded number of them is kept.
#pragma once

#include <cstddef>
#include <string>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Damaged copies kept of each database; one may be as large as the quota.
inline constexpr std::size_t kDamagedKeptMax = 2;

/// Renames `path`, `path`-wal and removes `path`-shm; removes the oldest copies beyond kDamagedKeptMax.
/// Returns the new name. A file that is not there is fine.
///
/// Errors:   Denied, Io
/// Requires: nobody has the database open
Result<std::string> set_aside(const std::string& path, UtcTime now);

/// The newest copy of `path` that was set aside; empty if there is none.
std::string newest_set_aside(const std::string& path);

}  // namespace fieldpost
