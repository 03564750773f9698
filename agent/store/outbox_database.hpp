// SPDX-License-Identifier: Apache-2.0
// outbox.db: the segments that wait for the cloud, and the gaps not yet reported. Every change is one
// transaction, so that a power cut leaves the state before or after it. Used on the store's worker only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/store/boot_table.hpp"
#include "agent/store/handed_out.hpp"
#include "agent/store/segment.hpp"
#include "agent/store/segment_builder.hpp"
#include "platform/result.hpp"
#include "platform/sqlite.hpp"

namespace fieldpost {

struct OutboxOptions {
  std::string path;
  std::string vfs;
  std::int64_t quota_bytes = 0;
  seconds age_max{0};
  LaneShares lane_percent = kLaneShares;
  nanoseconds thin_window{0};                ///< 0: nothing is thinned
  std::size_t message_bytes_max = 120'000;   ///< of what is made of several segments
  std::uint64_t merge_segments_min = 64;
};

/// What waits in one lane.
struct LaneCount {
  std::uint64_t segments = 0;
  std::uint64_t readings = 0;
  std::int64_t bytes = 0;  ///< of their bodies and rows, about
};
using LaneCounts = std::array<LaneCount, kLanes.size()>;

/// One transaction's worth of changes, made in this order.
struct OutboxChange {
  struct Acknowledged {
    Lane lane{};
    std::int64_t row = 0;
  };
  struct GivenUp {
    Lane lane{};
    std::int64_t row = 0;
    Gap::Cause cause{};
  };
  std::vector<Acknowledged> acknowledged;
  std::vector<GivenUp> given_up;
  std::vector<Gap> gaps;                 ///< losses outside the database, to be reported
  std::vector<EncodedSegment> segments;  ///< their seqs follow newest_seq() without holes
};

struct OutboxMoment {
  BootId boot;
  BootTime now;
};

/// What a change came to.
struct OutboxOutcome {
  std::uint64_t newest_seq = 0;
  std::uint64_t acknowledged_segments = 0;
  std::uint64_t acknowledged_readings = 0;
  std::uint64_t newest_acknowledged = 0;
  std::array<std::uint64_t, kLanes.size()> dropped{};  ///< readings
  std::uint64_t thinned_readings = 0;
  std::uint64_t merged_segments = 0;
  std::vector<SegmentHeader> durable;                  ///< new segments, a gap report among them
  std::uint64_t body_bytes = 0;
};

/// Bodies that could not be read, by row; what fails for one of them must not fail for all. It outlives the database that met
/// them: after an I/O error a row is given up only after some attempts, with the pauses between them in which a disk may come
/// back. Behind one that was given up so, others that fail get one attempt each, until one is read: bad blocks lie together.
/// What SQLite calls damaged gets one attempt, for that does not pass.
class ReadFailures {
 public:
  static constexpr int kAttempts = 3;
  static constexpr std::size_t kRowsMax = 4'096;

  /// True if the row is to be done without now: as a gap, and with its body left where it is.
  [[nodiscard]] bool note(std::int64_t row, const Error& error) {
    const bool is_damaged = error.kind() == ErrorKind::Malformed;
    if (!is_damaged && error.kind() != ErrorKind::Io) return false;
    // A database with so many is set aside, and what can be read of it brought back.
    if (counts_.size() >= kRowsMax && !counts_.contains(row)) return false;
    int& count = counts_[row];
    count = is_damaged || among_bad_blocks_ ? kAttempts : count + 1;
    if (count < kAttempts) return false;
    if (!is_damaged) among_bad_blocks_ = true;
    ++given_up_;
    return true;
  }
  void note_read() noexcept { among_bad_blocks_ = false; }
  /// The row's body was written anew.
  void forget(std::int64_t row) { counts_.erase(row); }
  bool is_given_up(std::int64_t row) const {
    const auto found = counts_.find(row);
    return found != counts_.end() && found->second >= kAttempts;
  }
  /// Grows with each row that is given up.
  std::uint64_t given_up() const noexcept { return given_up_; }

 private:
  std::map<std::int64_t, int> counts_;
  bool among_bad_blocks_ = false;
  std::uint64_t given_up_ = 0;
};

struct OutboxRow {
  std::int64_t row = 0;
  SegmentHeader header;
  std::vector<std::byte> bytes;
};

class OutboxDatabase {
 public:
  static constexpr int kPageBytes = 1024;  ///< of a new file
  static constexpr std::int64_t kWalBytesMax = 1 << 20;
  static constexpr std::int64_t kQuotaBytesMin = 256 << 10;
  /// Segments that one is made of, at most; and how many are thinned at a time.
  static constexpr std::size_t kMergeRowsMax = 512;
  static constexpr std::size_t kThinRowsMax = 64;
  /// user_version has 32 bits. Near its end an epoch is over, though nothing was lost.
  static constexpr std::uint64_t kSeqMax = 0x7FFF'FFFF;
  static constexpr std::uint64_t kSeqSpare = 1'000'000;
  /// Gaps kept apart by cause, lane, epoch and boot; beyond it they are added up without those last two.
  static constexpr std::size_t kGapsMax = 256;

  /// `boots`, `failures` and `handed_out` are lent and outlive it: the first tells the age of segments of earlier boots.
  /// Errors: Malformed (set it aside), NotPresent, Denied, Full, Io, Unavailable
  static Result<OutboxDatabase> open(const OutboxOptions& options, const BootTable& boots, ReadFailures& failures, HandedOut& handed_out);

  Epoch epoch() const noexcept { return epoch_; }                  ///< 0: a new database
  std::uint64_t newest_seq() const noexcept { return newest_seq_; }  ///< in this epoch
  /// True if the segments that wait tell that newest_seq() is right from `known` on.
  bool bears_all_since(std::uint64_t known) const noexcept { return consistent_ && newest_held_run_ <= known; }
  const LaneCounts& waiting() const noexcept { return waiting_; }
  std::int64_t file_bytes();
  /// To the medium since this was last asked: the log, and as much again for writing it back, which is a little too much.
  std::int64_t take_written_bytes();
  /// The oldest seq of this epoch that waits; 0 if none does.
  Result<std::uint64_t> oldest_waiting();

  /// True if a whole body waits of which the short rows know nothing: pages of theirs were lost, and SQLite walks what is left
  /// without complaint. Blocks: as long as reading all leaves of the tree of bodies takes
  bool misses_rows();

  /// Starts counting from 1 again. What waits keeps its identity. In the same transaction it is noted which
  /// epoch the marks outside bear, and what of it is known to be lost, so that a crash before the marks are
  /// written makes nobody report it twice.
  Result<void> begin_epoch(Epoch epoch, Epoch succeeds, const std::vector<Gap>& lost, const OutboxMoment& moment);
  /// What the latest begin_epoch() was told; 0 if none.
  Epoch succeeds() const noexcept { return succeeds_; }

  /// Rows given to new segments are greater than any that was handed out in this process, also by another
  /// database before this one: who has a segment in hand names it by its row.
  void keep_rows_above(std::int64_t row) { newest_row_ = std::max(newest_row_, row); }
  std::int64_t newest_row() const noexcept { return newest_row_; }
  /// Rows up to this one, which are being salvaged, are not handed out yet; new ones come behind it. 0: none.
  void hold_back(std::int64_t row) {
    held_back_to_ = row;
    keep_rows_above(row);
  }

  /// Makes the change durable whole, or not at all. Drops by age and by quota, oldest of bulk first, and
  /// turns unreported gaps into a segment of the event lane unless one waits already.
  ///
  /// When the commit itself fails it is open whether the change is on the disk; `in_doubt` then says what
  /// it would have come to, and newest_seq() after opening anew tells.
  /// Errors: Malformed, Full (the disk, not the quota), Denied, Io
  Result<OutboxOutcome> apply(const OutboxChange& change, const OutboxMoment& moment, const SegmentBuilder& builder,
                              std::optional<OutboxOutcome>& in_doubt);

  /// Writes the log back into the database and syncs both: what is there then does not only stand in the
  /// memory of a system whose sync has failed. Errors: Io, Full, Unavailable
  Result<void> write_through();

  /// Segments of a lane beyond row `after`, oldest first; none only if there are none. Damaged ones and those
  /// that cannot be read become gaps and are counted in `dropped`.
  /// Errors: Malformed, Io (a body cannot be read, and was not given up yet)
  Result<std::vector<OutboxRow>> fetch(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                                       std::array<std::uint64_t, kLanes.size()>& dropped);

  /// Makes one segment of a run of small ones of a lane that were never handed out, if there is enough to fill a message. At
  /// most one such step in each call. Returns what it came to; nothing if there was nothing to do.
  /// Errors: Malformed, Full, Denied, Io; `in_doubt` if the commit itself failed
  Result<std::optional<OutboxOutcome>> merge(bool& in_doubt);

  /// Before it is closed because another file stands in its place.
  void leave_log() { database_.leave_log(); }

 private:
  friend class OutboxTransaction;
  friend class OutboxRewrite;
  friend class Salvage;
  OutboxDatabase(Sqlite database, OutboxOptions options, const BootTable& boots, ReadFailures& failures, HandedOut& handed_out)
      : database_{std::move(database)}, options_{std::move(options)}, boots_{&boots}, failures_{&failures}, handed_out_{&handed_out} {}
  Result<void> load();
  Result<std::vector<OutboxRow>> read(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                                      std::vector<std::int64_t>& damaged);
  Result<void> drop_damaged(Lane lane, const std::vector<std::int64_t>& rows, std::array<std::uint64_t, kLanes.size()>& dropped);
  Result<void> add_schema_2();
  Result<std::int64_t> number(const char* pragma);
  std::int64_t pages_max() const;
  std::int64_t share_bytes(Lane lane) const;
  /// What a segment takes with its short row, about.
  static std::int64_t weight_of(std::int64_t bytes);

  Sqlite database_;
  OutboxOptions options_;
  const BootTable* boots_;
  ReadFailures* failures_;
  HandedOut* handed_out_;
  std::int64_t page_bytes_ = kPageBytes;
  Epoch epoch_ = 0;
  Epoch succeeds_ = 0;
  std::uint64_t newest_seq_ = 0;
  std::int64_t newest_row_ = 0;
  std::int64_t held_back_to_ = 0;
  LaneCounts waiting_;
  // What need not be looked at again: rows up to these are as large as they get, or are thinned.
  HandedOut::Rows merged_to_{};
  HandedOut::Rows thinned_to_{};
  std::array<std::uint64_t, kLanes.size()> unmerged_{};  ///< segments since merging was thought about
  std::array<std::uint64_t, kLanes.size()> merge_at_{};  ///< when it is worth a thought
  bool consistent_ = true;
  std::uint64_t newest_held_run_ = 0;
};

}  // namespace fieldpost
