// SPDX-License-Identifier: Apache-2.0
// Looks into an outbox that no agent has open, for `fieldpost dump` and for people after a bad day.
// Changes nothing: damaged segments are told, not turned into gaps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/store/boot_table.hpp"
#include "agent/store/segment.hpp"
#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

class OutboxReader {
 public:
  /// Receives a segment; false ends the reading.
  using Visit = std::function<bool(const SegmentHeader& header, const SegmentContent& content)>;

  /// Opens outbox.db in `directory`, and the boot table beside it where there is one.
  /// Errors: NotPresent, Unavailable (an agent has it), Malformed, Denied, Io
  static Result<OutboxReader> open(const std::string& directory);

  /// Every segment of a lane, oldest first. Returns how many were damaged and left out.
  /// Errors: Malformed, Io
  Result<std::uint64_t> read(Lane lane, const Visit& visit);

  const BootTable& boots() const noexcept { return boots_; }

 private:
  explicit OutboxReader(Sqlite database) : database_{std::move(database)} {}
  Sqlite database_;
  BootTable boots_;
};

}  // namespace fieldpost
