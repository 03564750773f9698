// SPDX-License-Identifier: Apache-2.0
// Looks into an outbox, for `fieldpost dump` and for people after a bad day; into a copy of it while an
// agent has it open. Changes nothing: damaged segments are told, not turned into gaps.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/store/boot_table.hpp"
#include "agent/store/outbox_snapshot.hpp"
#include "agent/store/segment.hpp"
#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

class OutboxReader {
 public:
  /// Receives a segment; false ends the reading.
  using Visit = std::function<bool(const SegmentHeader& header, const SegmentContent& content)>;

  /// Opens outbox.db in `directory`, and the boot table beside it where there is one.
  /// Errors:   NotPresent, Unavailable (an agent has it, and changes it too fast), Malformed, Denied, Io,
  ///           Full (no room for a copy)
  /// Requires: another process than the agent's
  static Result<OutboxReader> open(const std::string& directory);

  /// Every segment of a lane, oldest first. Returns how many were damaged and left out.
  /// Errors: Malformed, Io
  Result<std::uint64_t> read(Lane lane, const Visit& visit);

  const BootTable& boots() const noexcept { return boots_; }

 private:
  OutboxReader(Sqlite database, std::optional<OutboxSnapshot> snapshot)
      : snapshot_{std::move(snapshot)}, database_{std::move(database)} {}
  std::optional<OutboxSnapshot> snapshot_;  ///< outlives the database that lies in it
  Sqlite database_;
  BootTable boots_;
};

}  // namespace fieldpost
