// SPDX-License-Identifier: Apache-2.0
// Brings back what is whole in an outbox that was set aside: each segment whose CRC is right, under its own numbers. It works in
// small steps beside everything else. How far it came stands in the new database, in the same transaction as what came back; so
// it may be interrupted anywhere. Inside the room only; used on the store's worker.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/damaged_file.hpp"
#include "agent/store/outbox_transaction.hpp"
#include "agent/store/thinned_runs.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class Salvage {
 public:
  // What one step reads at most, but for one segment; it holds one segment at a time.
  static constexpr std::size_t kPagesAStep = 256;
  static constexpr std::size_t kBytesAStep = 256 << 10;
  static constexpr std::size_t kPagesAGlance = 1'024;  ///< where bodies are not read, but of parts
  /// Steps in a row that may fail, before what is left is given up and told as lost. There is one a flush then, so it takes long.
  static constexpr int kFailuresMax = 360;
  /// Steps since the latest commit that failed, and those of them for want of room; who calls step() counts them, whatever becomes of
  /// this object meanwhile.
  struct Failures {
    int count = 0;
    int full = 0;
  };

  using Counts = std::array<std::uint64_t, kLanes.size()>;
  /// What the marks tell of the outbox that was set aside.
  struct Lost {
    Epoch epoch = 0;
    std::uint64_t oldest_waiting = 0;
    std::uint64_t newest_seq = 0;
    Counts readings{};
    /// What was committed to it, or not, and is still in memory: of this epoch all behind this number. It must not come twice.
    Epoch unsure_epoch = 0;
    std::uint64_t unsure_after = 0;
  };

  /// Notes in `outbox`, which is new, that there is something to bring back out of `path`, a file beside it. Its own rows begin behind `rows_to`.
  /// Errors: Full, Denied, Io
  static Result<void> begin(OutboxDatabase& outbox, const std::string& path, std::int64_t rows_to, const Lost& lost);
  /// Goes on with what was begun in `outbox`; nothing if there is nothing to do. Until the end nothing of it is handed out, so that it
  /// comes in the order of its rows.
  /// Errors: Malformed, Io
  static Result<std::optional<Salvage>> resume(OutboxDatabase& outbox);

  /// One step; at the end it is noted as gaps what did not come back. `in_doubt` if the commit itself failed.
  /// Errors: Malformed, Full, Denied, Io; Unavailable: the file set aside does not open now. It is as before then
  /// Blocks: as long as reading kBytesAStep and a commit take; the first also as long as reading the log takes
  Result<std::optional<OutboxOutcome>> step(OutboxDatabase& outbox, Failures failures, bool& in_doubt);

  bool is_done() const noexcept { return is_done_; }
  std::int64_t rows_to() const noexcept { return rows_to_; }
  const std::string& path() const noexcept { return path_; }
  std::uint64_t segments() const noexcept { return progress_.segments; }
  std::uint64_t readings() const noexcept { return progress_.readings; }
  /// Readings known to have waited, that did not come back yet.
  const Counts& missing() const noexcept { return progress_.missing; }

 private:
  struct Progress {
    std::uint64_t position = 0;  ///< in the file
    std::uint64_t segments = 0;
    std::uint64_t readings = 0;
    Counts missing{};
  };

  Salvage() = default;
  Result<void> take(OutboxTransaction& work, std::int64_t slack_pages, std::uint32_t page, const DamagedFile::Cell& cell, Progress& progress);
  Result<bool> make_place(OutboxTransaction& work, std::int64_t row, const SegmentHeader& header, Progress& progress);
  Result<bool> is_out_of_place(OutboxTransaction& work, const SegmentHeader& header, std::int64_t present, std::int64_t coming);
  Result<void> end(OutboxTransaction& work, const Progress& progress);
  Result<void> note(OutboxTransaction& work, const Progress& progress);
  /// Number that is not known to have gone already.
  std::uint64_t oldest() const { return lost_.oldest_waiting == 0 ? lost_.newest_seq + 1 : lost_.oldest_waiting; }
  bool is_counted(Epoch epoch, std::uint64_t seq) const { return epoch != lost_.epoch || (oldest() <= seq && seq <= lost_.newest_seq); }

  std::string path_;
  std::int64_t rows_to_ = 0;
  Lost lost_;
  Progress progress_;
  std::optional<std::int64_t> odd_distance_;
  std::optional<DamagedFile> file_;
  ThinnedRuns runs_;
  bool is_open_ = false;
  bool knows_used_ = false;
  bool knows_runs_ = false;
  bool is_done_ = false;
};

}  // namespace fieldpost
