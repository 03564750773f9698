// SPDX-License-Identifier: Apache-2.0
// High-water marks that stand outside the database: which epoch, and the newest seq that was
// committed in it. SQLite drops the damaged end of a write-ahead log without a word, and anybody may
// copy an old database back; either would make the agent use numbers twice, and a cloud that drops
// duplicates would then drop new readings.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/store/handed_out.hpp"
#include "agent/store/segment.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct Marks {
  Epoch epoch = 0;
  std::uint64_t newest_seq = 0;           ///< committed
  std::uint64_t newest_acknowledged = 0;
  std::uint64_t oldest_waiting = 0;       ///< of this epoch; 0: nothing waits. For the report, should the database be lost
  std::array<std::uint64_t, kLanes.size()> waiting{};  ///< readings, of all epochs; likewise
  /// Which rows may have left the device. Said by a process that ends in order, and taken back by the next one before it hands out
  /// any. Nothing: not known, so all may have.
  std::optional<HandedOut::Ranges> handed_out{};

  /// True if a lost database would have taken something with it.
  bool any_waits() const noexcept {
    return oldest_waiting != 0 || std::any_of(waiting.begin(), waiting.end(), [](std::uint64_t readings) { return readings > 0; });
  }

  friend bool operator==(const Marks&, const Marks&) = default;
};

/// Where marks are kept; a test that cuts the power puts its own in place.
class MarkStorage {
 public:
  virtual ~MarkStorage() = default;

  /// Nothing if there are none, or none that is whole.
  /// Errors: Denied, Io
  virtual Result<std::optional<Marks>> read() = 0;

  /// When it returns, the marks are on the medium. A file that cannot be read or opened is replaced.
  /// Errors:   Denied, Full, Io
  /// Blocks:   one small write and fdatasync
  virtual Result<void> write(const Marks& marks) = 0;
};

/// A file of two pages that are written in turn, each with a count and a CRC: a page torn by a power
/// cut leaves the other. Written in place, because a file replaced at each commit costs the flash
/// about ten times as much.
std::unique_ptr<MarkStorage> make_mark_file(std::string path);

}  // namespace fieldpost
