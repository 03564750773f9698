// SPDX-License-Identifier: Apache-2.0
// The store as its worker sees it: both databases, the marks and the reserve, and what is done when any
// of them fails. Every member but the constructor may block and is called on the worker only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/store/batch.hpp"
#include "agent/store/boot_table.hpp"
#include "agent/store/marks.hpp"
#include "agent/store/outbox_database.hpp"
#include "agent/store/reserve_file.hpp"
#include "agent/store/salvage.hpp"
#include "agent/store/segment_builder.hpp"
#include "agent/store/state_database.hpp"
#include "agent/store/store_options.hpp"
#include "platform/log.hpp"

namespace fieldpost {

/// One piece of work, and what came of it. What could not be done stays in it.
struct DiskWork {
  Batches batches;
  OutboxChange change;  ///< acknowledged, given_up and gaps; the segments are made here
  std::vector<BootRow> boots;
  OutboxMoment moment;
  UtcTime utc;

  Result<void> result;
  std::vector<OutboxOutcome> outcomes;  ///< of the transactions that succeeded
  std::vector<Event> events;            ///< for a person: a database was set aside
  std::array<std::uint64_t, kLanes.size()> lost{};  ///< readings that went with a damaged database
};

/// What is the case on the disk after a piece of work.
struct DiskFigures {
  bool ok = false;
  std::string error;  ///< one sentence that says what to do; empty when ok
  ErrorKind error_kind{};
  Epoch epoch = 0;
  std::uint64_t newest_seq = 0;
  std::uint64_t newest_acknowledged = 0;
  std::int64_t newest_row = 0;
  std::int64_t file_bytes = 0;
  std::int64_t written_bytes = 0;  ///< to outbox and marks since start, rather more than less
  LaneCounts waiting;
  std::size_t doubtful_bytes = 0;  ///< memory of a batch whose commit may or may not have happened
  std::uint64_t doubtful_readings = 0;
  bool salvage_rests = false;  ///< no more steps before the next commit
  bool is_salvaging = false;  ///< what is whole in an outbox that was set aside comes back, step by step: tidy()
  std::uint64_t salvaged_segments = 0;  ///< by it, or by the latest that ended
  std::uint64_t salvaged_readings = 0;
};

class StoreDisk {
 public:
  static constexpr std::int64_t kReserveBytes = 1 << 20;
  /// A flush's segments that one crash can leave unannounced; more unexplained numbers are damage.
  static constexpr std::uint64_t kUnannouncedMax = 65'536;
  /// Pieces of work in a row that a database fails with I/O errors, before it is set aside; with the store's
  /// back-off that is half a minute.
  static constexpr int kIoFailuresMax = 6;

  StoreDisk(StoreOptions options, StoreGround ground, Log& log, const SeriesTable& table);

  /// Opens what is not open, and makes the changes durable. On failure the batches are as they were.
  void commit(DiskWork& work);

  /// Nothing when the disk does not answer. Losses found on the way are in `dropped`.
  std::vector<OutboxRow> fetch(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                               std::array<std::uint64_t, kLanes.size()>& dropped);

  /// What fetch() would give, without handing it out: for who judges what is there, and sends nothing.
  std::vector<OutboxRow> peek(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                              std::array<std::uint64_t, kLanes.size()>& dropped);

  /// Nobody has anything of the lane in hand any more but `kept`: it may be dropped again.
  void release(Lane lane, const std::set<std::int64_t>& kept) { handed_out_.release_all(lane, kept); }

  /// Work for idle times, one step: salvages from an outbox that was set aside, else merges small segments. Returns what it came to.
  std::optional<OutboxOutcome> tidy();

  void close();
  /// Closes as a process does that ends in order: the marks say then what was handed out.
  void end();

  DiskFigures figures();
  /// What the state held when it was opened; given once.
  std::optional<std::vector<BootRow>> take_loaded_boots();

 private:
  /// A commit that failed in its last step: after opening anew the newest seq tells whether it happened.
  struct Doubtful {
    Batches batches;
    OutboxChange change;
    Epoch epoch = 0;
    OutboxOutcome outcome;  ///< as it would have been
  };

  /// Whose fault an error is: what is done about it depends on that.
  enum class Place : std::uint8_t { directory, state, outbox };

  static Event event_of(std::string name, std::string message, BootTime now);
  Result<void> open(DiskWork& work);
  void leave_what_was_taken_away();
  Result<void> open_outbox(DiskWork& work);
  Result<void> settle_epoch(DiskWork& work);
  Result<void> begin_salvage(std::vector<Gap>& lost);
  void keep_room_for_salvage();
  std::string copy_to_salvage() const;
  Result<std::optional<OutboxOutcome>> step_salvage();
  void note_salvage();
  LaneCounts waiting() const;
  bool waits_for_less() const;
  Result<void> begin_epoch(const std::vector<Gap>& lost, const OutboxMoment& moment);
  Result<void> settle_doubt(DiskWork& work);
  Result<void> try_once(DiskWork& work);
  Result<void> apply(DiskWork& work);
  Result<void> set_aside_outbox(DiskWork& work);
  Result<void> set_aside_state(DiskWork& work);
  bool set_aside_unreadable(DiskWork& work);
  void tell_new_epoch(DiskWork& work);
  Marks marks_now(std::uint64_t oldest_waiting) const;
  std::vector<Gap> gaps_of(std::uint64_t first_seq, std::uint64_t last_seq) const;
  bool write_marks(Marks marks);
  void take_over_handed_out(bool marks_agree);
  bool may_hand_out();
  void announce(DiskWork& work, OutboxOutcome outcome);
  void fail(const Error& error);
  std::string sentence_of(const Error& error) const;
  std::string path(const char* name) const { return options_.directory + "/" + name; }

  StoreOptions options_;
  StoreGround ground_;
  Log& log_;
  SegmentBuilder builder_;
  ReserveFile reserve_;
  bool is_reserve_spent_ = false;
  std::unique_ptr<MarkStorage> mark_storage_;
  std::optional<Marks> marks_;
  BootTable boots_;
  std::optional<StateDatabase> state_;
  std::optional<OutboxDatabase> outbox_;
  std::optional<Salvage> salvage_;
  Salvage::Failures salvage_failures_;
  bool salvage_rests_ = false;
  /// The outbox that a new one is to take the place of, until something has been committed to this: whatever is set aside
  /// in between has nothing that is known to be durable.
  std::string set_aside_as_;
  /// The numbers that may stand in it though their readings are in memory, of a commit that failed in its last step: all of this
  /// epoch behind this one.
  std::pair<Epoch, std::uint64_t> unsure_;
  std::uint64_t salvaged_segments_ = 0;
  std::uint64_t salvaged_readings_ = 0;
  std::vector<Event> later_events_;  ///< to be told with the next commit
  std::optional<std::vector<BootRow>> loaded_boots_;
  std::optional<Doubtful> doubtful_;
  bool is_unsynced_ = false;  ///< a commit failed in its last step: the log may stand in the system's memory only
  LaneCounts last_known_waiting_;
  std::int64_t newest_row_ = 0;  ///< of any outbox that this process had
  ReadFailures failures_;
  HandedOut handed_out_;
  bool knows_handed_out_ = false;  ///< what earlier processes handed out
  Place at_ = Place::directory;  ///< of the latest error
  int io_failures_ = 0;
  std::int64_t written_bytes_ = 0;
  std::string new_epoch_why_;  ///< to be told when something has been committed in it
  std::array<std::uint64_t, kLanes.size()> new_epoch_lost_{};
  std::optional<Error> error_;
  std::string sentence_;  ///< of error_, for a person
  /// Device and number of the file that is open as the outbox; nothing where there is no such file (a disk in memory).
  std::optional<std::pair<dev_t, ino_t>> outbox_file_;
};

}  // namespace fieldpost
