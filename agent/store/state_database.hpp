// SPDX-License-Identifier: Apache-2.0
// state.db: what is known of this device apart from readings, today the epoch and the boot table. It
// is tiny, changes seldom, and is mirrored to a second file, so that damage to one of them costs
// nothing. Used on the store's worker only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/store/boot_table.hpp"
#include "agent/store/segment.hpp"
#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

struct StoredState {
  Epoch epoch = 0;  ///< 0: none yet
  std::vector<BootRow> boots;

  friend bool operator==(const StoredState&, const StoredState&) = default;
};

class StateDatabase {
 public:
  struct Opened;

  /// Opens or makes `directory`/state.db. One that is damaged is set aside and made anew from its
  /// mirror; `set_aside_as` is then its new name.
  /// Errors: NotPresent, Denied, Full, Io, Unavailable
  static Result<Opened> open(const std::string& directory, const std::string& vfs, UtcTime now);

  const StoredState& state() const noexcept { return state_; }

  /// Makes `state` durable in the database, then in the mirror. Nothing is written if nothing changed.
  /// Errors: Malformed (the database is damaged: open anew), Denied, Full, Io
  Result<void> store(const StoredState& state);

  /// Before it is closed because another file stands in its place.
  void leave_log() { database_.leave_log(); }

 private:
  StateDatabase(Sqlite database, std::string mirror_path) : database_{std::move(database)}, mirror_path_{std::move(mirror_path)} {}
  static Result<StateDatabase> open_file(const std::string& directory, const std::string& vfs);
  Result<StoredState> load();
  Result<void> write(const StoredState& state);

  Sqlite database_;
  std::string mirror_path_;
  StoredState state_;
};

struct StateDatabase::Opened {
  StateDatabase database;
  std::string set_aside_as;  ///< empty: nothing was damaged
};

/// The mirror's content, and back. Nothing if it is not whole.
std::string to_mirror(const StoredState& state);
std::optional<StoredState> from_mirror(std::string_view content);

}  // namespace fieldpost
