// SPDX-License-Identifier: Apache-2.0
// A piece of work is tried, and tried once more after what can be done about its failure: a damaged
// database is set aside, a full disk gets the reserve back, anything else is closed and opened anew. What
// fails then goes back to memory.
#include "agent/store/store_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/store/schema.hpp"
#include "agent/store/set_aside.hpp"
#include "platform/durable_file.hpp"
#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

/// What the directory says to a new file: 0, or errno. SQLite does not tell: it opens for reading what it may not write, and
/// stumbles over the lock.
int refusal_of(const std::string& directory) {
  const std::string probe = directory + "/outbox.probe";
  const FileDescriptor file{::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (!file) return errno;
  const int refusal = ::write(file.get(), "x", 1) == 1 ? 0 : errno;
  ::unlink(probe.c_str());
  return refusal;
}

std::optional<std::pair<dev_t, ino_t>> file_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair{status.st_dev, status.st_ino};
}

template <typename T>
void prepend(std::vector<T>& to, std::vector<T>&& older) {
  older.insert(older.end(), std::make_move_iterator(to.begin()), std::make_move_iterator(to.end()));
  to = std::move(older);
}

}  // namespace

StoreDisk::StoreDisk(StoreOptions options, StoreGround ground, Log& log, const SeriesTable& table)
    : options_{std::move(options)},
      ground_{std::move(ground)},
      log_{log},
      builder_{table, options_.message_bytes_max},
      reserve_{path("outbox.reserve"), std::min(kReserveBytes, options_.quota_bytes / 8)},
      mark_storage_{ground_.marks(path("outbox.marks"))} {}

void StoreDisk::commit(DiskWork& work) {
  work.result = try_once(work);
  std::uint64_t given_up = failures_.given_up();
  for (int attempt = 0; !work.result && attempt < 2; ++attempt) {
    const ErrorKind kind = work.result.error().kind();  // Denied: one failed open makes SQLite read-only, so it is opened anew first
    if (std::exchange(given_up, failures_.given_up()) != failures_.given_up()) attempt = 0;  // one body less in the way
    if (at_ == Place::outbox && (kind != ErrorKind::Denied || attempt > 0) && is_damage(work.result.error(), path("outbox.db"))) {
      if (auto renamed = set_aside_outbox(work); !renamed) {
        work.result = renamed;
        break;
      }
    } else if (kind == ErrorKind::Full) {
      if (!reserve_.release()) break;
      is_reserve_spent_ = true;
    } else {
      close();
      if (attempt > 0) break;
    }
    work.result = try_once(work);
  }
  if (!work.result && set_aside_unreadable(work)) work.result = try_once(work);
  error_.reset();
  if (!work.result) {
    fail(work.result.error());
    if (error_->kind() != ErrorKind::Full) close();
    return;
  }
  io_failures_ = 0;
  salvage_rests_ = false;
  tell_new_epoch(work);
  if (reserve_.take()) is_reserve_spent_ = false;
}

Result<void> StoreDisk::try_once(DiskWork& work) {
  TRY(open(work));
  at_ = Place::outbox;
  TRY(settle_doubt(work));
  if (!work.boots.empty()) {
    at_ = Place::state;
    boots_ = BootTable{};
    boots_.load(work.boots);
    if (auto stored = state_->store({.epoch = outbox_->epoch(), .boots = work.boots}); !stored) {
      if (!is_damage(stored.error(), path("state.db"))) return stored.error().with_context("state.db");
      TRY(set_aside_state(work));  // and read back from its mirror
      TRY(open(work));
      at_ = Place::state;
      TRY(state_->store({.epoch = outbox_->epoch(), .boots = work.boots}));
    }
    work.boots.clear();
    at_ = Place::outbox;
  }
  if (outbox_->newest_seq() > OutboxDatabase::kSeqMax - OutboxDatabase::kSeqSpare) TRY(begin_epoch({}, work.moment));
  return apply(work);
}

/// Deleted, moved, or another disk mounted over it: what is committed to such files nobody will find again.
void StoreDisk::leave_what_was_taken_away() {
  if (!outbox_ || !outbox_file_) return;
  const auto now = file_at(path("outbox.db"));
  if (now ? *now == *outbox_file_ : errno != ENOENT && errno != ENOTDIR) return;
  outbox_->leave_log();
  if (state_) state_->leave_log();
  close();
}

Result<void> StoreDisk::open(DiskWork& work) {
  leave_what_was_taken_away();
  if (state_ && outbox_) return {};
  at_ = Place::directory;
  if (::mkdir(options_.directory.c_str(), 0750) != 0 && errno != EEXIST) {
    return errno_error("make " + options_.directory, errno);
  }
  if (!state_) {
    at_ = Place::state;
    auto opened = TRY(StateDatabase::open(options_.directory, ground_.vfs, work.utc).with_context("state.db"));
    if (!opened.set_aside_as.empty()) {
      log_.warn("state set aside", {{"directory", options_.directory}, {"kept_as", opened.set_aside_as}});
      work.events.push_back(event_of("state_set_aside", "state.db was damaged and is kept as " + opened.set_aside_as +
                                     "; its mirror took its place", work.moment.now));
    }
    state_ = std::move(opened.database);
    boots_.load(state_->state().boots);
    loaded_boots_ = state_->state().boots;
  }
  at_ = Place::outbox;
  if (!outbox_) TRY(open_outbox(work));
  return {};
}

Result<void> StoreDisk::open_outbox(DiskWork& work) {
  // Marks that cannot be read are none: a new epoch begins, and their file is replaced.
  if (const auto read = mark_storage_->read(); read && *read) {
    if (!marks_) {  // what waited when another process ended; of this one we know it better
      for (const Lane lane : kLanes) last_known_waiting_[index(lane)].readings = (*read)->waiting[index(lane)];
    }
    marks_ = *read;
  } else if (!read) {
    log_.warn("outbox marks not readable", {{"directory", options_.directory}, {"error", read.error().sentence()}});
  }
  const OutboxOptions options{.path = path("outbox.db"), .vfs = ground_.vfs, .quota_bytes = options_.quota_bytes, .age_max = options_.age_max,
                              .lane_percent = options_.lane_percent, .thin_window = options_.thin_window,
                              .message_bytes_max = options_.message_bytes_max, .merge_segments_min = options_.merge_segments_min};
  outbox_ = TRY(OutboxDatabase::open(options, boots_, failures_, handed_out_));
  outbox_file_ = file_at(options.path);
  salvage_ = TRY(Salvage::resume(*outbox_));
  if (salvage_) keep_room_for_salvage();
  // Before anything of it is handed out: sync remembers the rows it has had, whatever database they came from.
  newest_row_ = std::max(newest_row_, outbox_->newest_row());
  outbox_->keep_rows_above(newest_row_);
  auto settled = settle_epoch(work);
  if (!settled) outbox_.reset();
  return settled;
}

/// A database that gives I/O errors again and again, on a disk that takes a new file: the blocks below it are bad, and
/// will be tomorrow.
bool StoreDisk::set_aside_unreadable(DiskWork& work) {
  if (work.result.error().kind() != ErrorKind::Io || at_ == Place::directory) {
    io_failures_ = 0;
    return false;
  }
  const std::string probe = path("outbox.probe");
  if (++io_failures_ < kIoFailuresMax || !replace_file_durably(probe, "x") || !remove_file_durably(probe)) return false;
  io_failures_ = 0;
  const Place bad = at_;
  close();
  return (bad == Place::state ? set_aside_state(work) : set_aside_outbox(work)).has_value();
}

Result<void> StoreDisk::set_aside_state(DiskWork& work) {
  state_.reset();
  const std::string name = TRY(set_aside(path("state.db"), work.utc));
  log_.warn("state set aside", {{"directory", options_.directory}, {"kept_as", name}});
  work.events.push_back(event_of("state_set_aside", "state.db was damaged and is kept as " + name + "; its mirror took its place", work.moment.now));
  return {};
}

Result<void> StoreDisk::set_aside_outbox(DiskWork& work) {
  outbox_.reset();
  const std::string& kept = set_aside_as_.empty() && salvage_ ? salvage_->path() : set_aside_as_;
  const std::string name = TRY(set_aside(path("outbox.db"), work.utc, kept));
  if (set_aside_as_.empty()) set_aside_as_ = name;
  log_.warn("outbox set aside", {{"directory", options_.directory}, {"kept_as", name}});
  work.events.push_back(event_of("outbox_set_aside", "outbox.db was damaged and is kept as " + name + "; a new one was made", work.moment.now));
  return {};
}

Result<void> StoreDisk::settle_doubt(DiskWork& work) {
  // Seen, but maybe in the system's memory only: a sync that failed is not tried again by the one after it, and what would come
  // behind it in the log would be lost with it.
  if (is_unsynced_) TRY(outbox_->write_through());
  is_unsynced_ = false;
  if (!doubtful_) return {};
  const bool is_there = outbox_->epoch() == doubtful_->epoch && outbox_->newest_seq() == doubtful_->outcome.newest_seq;
  Doubtful doubtful = std::move(*doubtful_);
  doubtful_.reset();
  if (is_there) {
    announce(work, std::move(doubtful.outcome));
    return {};
  }
  for (const Lane lane : kLanes) work.batches[index(lane)].put_back(std::move(doubtful.batches[index(lane)]));
  prepend(work.change.acknowledged, std::move(doubtful.change.acknowledged));
  prepend(work.change.given_up, std::move(doubtful.change.given_up));
  prepend(work.change.gaps, std::move(doubtful.change.gaps));
  return {};
}

Result<void> StoreDisk::apply(DiskWork& work) {
  for (const auto& gone : work.change.acknowledged) handed_out_.release(gone.lane, gone.row);
  for (const auto& gone : work.change.given_up) handed_out_.release(gone.lane, gone.row);
  OutboxChange change = work.change;
  SegmentBuilder::Identity identity{.epoch = outbox_->epoch(), .seq = outbox_->newest_seq(), .boot = work.moment.boot};
  for (const Lane lane : kLanes) {
    Gap oversize{.cause = Gap::Cause::oversize, .lane = lane, .boot = work.moment.boot};
    auto segments = builder_.build(lane, work.batches[index(lane)], identity, oversize);
    std::move(segments.begin(), segments.end(), std::back_inserter(change.segments));
    if (oversize.readings > 0) change.gaps.push_back(oversize);
  }
  if (change.acknowledged.empty() && change.given_up.empty() && change.gaps.empty() && change.segments.empty()) return {};

  std::optional<OutboxOutcome> in_doubt;
  auto applied = outbox_->apply(change, work.moment, builder_, in_doubt);
  if (!applied) {
    const ErrorKind kind = applied.error().kind();
    is_unsynced_ = in_doubt.has_value();
    const bool numbered = in_doubt && in_doubt->newest_seq != outbox_->newest_seq();
    if (numbered && set_aside_as_.empty()) unsure_ = {outbox_->epoch(), outbox_->newest_seq()};
    if (numbered && kind != ErrorKind::Full && (kind == ErrorKind::Denied || !is_damage(applied.error(), path("outbox.db")))) {
      doubtful_ = Doubtful{std::move(work.batches), std::move(work.change), outbox_->epoch(), std::move(*in_doubt)};
      work.batches = Batches{};
      work.change = OutboxChange{};
    }
    return applied.error();
  }
  for (const Gap& gap : change.gaps) {
    // Losses of this very change; those that came with it are counted where they happened.
    if (gap.cause == Gap::Cause::oversize && gap.first_seq == 0) applied->dropped[index(gap.lane)] += gap.readings;
  }
  work.batches = Batches{};
  work.change = OutboxChange{};
  announce(work, std::move(*applied));
  return {};
}

/// The marks come after the commit and before anybody hears of it: a number that may have left the device
/// is always below the mark.
void StoreDisk::announce(DiskWork& work, OutboxOutcome outcome) {
  set_aside_as_.clear();
  unsure_ = {};
  last_known_waiting_ = waiting();
  Marks marks = marks_now(outbox_->oldest_waiting().value_or(0));
  marks.newest_acknowledged = std::max(marks.newest_acknowledged, outcome.newest_acknowledged);
  write_marks(marks);
  newest_row_ = std::max(newest_row_, outbox_->newest_row());
  if (log_.enabled(LogLevel::debug)) {
    for (const SegmentHeader& header : outcome.durable) {
      log_.debug("segment durable", {{"lane", to_string(header.lane)}, {"epoch", to_text(header.epoch)}, {"seq", header.seq},
                                     {"readings", header.readings()}});
    }
    if (outcome.acknowledged_segments > 0) {
      log_.debug("segments acknowledged", {{"segments", outcome.acknowledged_segments}, {"readings", outcome.acknowledged_readings},
                                           {"newest_seq", marks.newest_acknowledged}});
    }
  }
  work.outcomes.push_back(std::move(outcome));
}

std::vector<OutboxRow> StoreDisk::fetch(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                                        std::array<std::uint64_t, kLanes.size()>& dropped) {
  if (!may_hand_out()) return {};
  auto rows = peek(lane, after, count, bytes_max, dropped);
  for (const OutboxRow& row : rows) handed_out_.hold(lane, row.row);
  if (!rows.empty()) handed_out_.note_left(lane, {after + 1, rows.back().row});
  return rows;
}

std::optional<OutboxOutcome> StoreDisk::tidy() {
  if (!outbox_ || error_ || is_unsynced_) return std::nullopt;
  auto merged = salvage_ ? step_salvage() : outbox_->merge(is_unsynced_);
  if (merged && salvage_) note_salvage();
  if (merged) {
    if (*merged) last_known_waiting_ = waiting();
    return std::move(*merged);
  }
  log_.debug(salvage_ ? "segments not salvaged" : "segments not merged", {{"error", merged.error().sentence()}});
  const ErrorKind kind = merged.error().kind();
  if ((kind == ErrorKind::Full || (salvage_ && kind == ErrorKind::Unavailable)) && !is_unsynced_) return std::nullopt;  // nothing is lost by it
  fail(merged.error());
  at_ = Place::outbox;
  outbox_.reset();  // as in peek()
  return std::nullopt;
}

std::vector<OutboxRow> StoreDisk::peek(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                                        std::array<std::uint64_t, kLanes.size()>& dropped) {
  if (!outbox_) return {};
  auto rows = outbox_->fetch(lane, after, count, bytes_max, dropped);
  if (rows) {
    last_known_waiting_ = waiting();
    return std::move(*rows);
  }
  log_.debug("outbox not readable", {{"lane", to_string(lane)}, {"error", rows.error().sentence()}});
  fail(rows.error());
  at_ = Place::outbox;
  // What to do about it is the next commit's affair: it opens anew, and sets aside what is damaged.
  outbox_.reset();
  return {};
}

void StoreDisk::close() {
  outbox_.reset();
  state_.reset();
}

void StoreDisk::end() {
  if (outbox_ && marks_ && !doubtful_ && !is_unsynced_ && marks_->epoch == outbox_->epoch()) {
    Marks marks = *marks_;
    marks.handed_out = handed_out_.all();
    write_marks(std::move(marks));
  }
  close();
}

DiskFigures StoreDisk::figures() {
  DiskFigures figures;
  figures.ok = !error_ && outbox_.has_value();
  if (error_) {
    figures.error = sentence_;
    figures.error_kind = error_->kind();
  }
  figures.waiting = last_known_waiting_;
  if (marks_) {
    figures.epoch = marks_->epoch;
    figures.newest_seq = marks_->newest_seq;
    figures.newest_acknowledged = marks_->newest_acknowledged;
  }
  if (outbox_) {
    figures.epoch = outbox_->epoch();
    figures.newest_seq = outbox_->newest_seq();
    figures.newest_row = outbox_->newest_row();
    figures.newest_acknowledged = marks_ && marks_->epoch == figures.epoch ? marks_->newest_acknowledged : 0;
    figures.waiting = outbox_->waiting();
    figures.file_bytes = outbox_->file_bytes();
    written_bytes_ += outbox_->take_written_bytes();
  }
  figures.written_bytes = written_bytes_;
  figures.is_salvaging = salvage_.has_value();
  figures.salvage_rests = salvage_rests_;
  figures.salvaged_segments = salvaged_segments_;
  figures.salvaged_readings = salvaged_readings_;
  if (doubtful_) {
    figures.doubtful_bytes = bytes_of(doubtful_->batches);
    figures.doubtful_readings = readings_of(doubtful_->batches);
  }
  return figures;
}

std::optional<std::vector<BootRow>> StoreDisk::take_loaded_boots() { return std::exchange(loaded_boots_, std::nullopt); }

void StoreDisk::fail(const Error& error) {
  error_ = error;
  sentence_ = sentence_of(error);
}

std::string StoreDisk::sentence_of(const Error& error) const {
  const std::string& place = options_.directory;
  const std::string detail = " (" + error.sentence() + ")";
  struct statvfs space {};
  const bool has_space = ::statvfs(place.c_str(), &space) == 0;
  ErrorKind kind = error.kind();
  int refusal = has_space && (space.f_flag & ST_RDONLY) != 0 ? EROFS : 0;
  if (refusal == 0 && has_space && (kind == ErrorKind::Io || kind == ErrorKind::Denied || kind == ErrorKind::NotPresent)) {
    refusal = refusal_of(place);
    if (refusal != 0) kind = errno_error("", refusal).kind();
  }
  if (refusal == EROFS) {
    return place + " is on a read-only file system: remount it read-write, or set state_directory to another place" + detail;
  }
  switch (kind) {
    case ErrorKind::Full:
      if (has_space && space.f_files > 0 && space.f_favail == 0) {
        return "the disk that holds " + place + " has no inodes left: delete files there" + detail;
      }
      return "the disk that holds " + place + " is full: free some space there" + detail;
    case ErrorKind::Denied:
      return place + " may not be written: give it to the user that the agent runs as, or set state_directory to another place" + detail;
    case ErrorKind::NotPresent:
      return place + " is not there and cannot be made: make it, or set state_directory to another place" + detail;
    case ErrorKind::Unavailable:
      return "another process uses " + place + "/outbox.db: stop it, or give each agent a state_directory of its own" + detail;
    case ErrorKind::Io:
    case ErrorKind::Malformed:
    case ErrorKind::Timeout:
    case ErrorKind::OutOfRange:
    case ErrorKind::Bug:
      break;
  }
  return place + " cannot be used: check its disk (dmesg), or set state_directory to another place" + detail;
}

}  // namespace fieldpost
