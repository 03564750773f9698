// SPDX-License-Identifier: Apache-2.0
// Under which epoch an outbox that was opened goes on, and what stands outside it so that this can be told.
#include <sys/random.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "agent/store/set_aside.hpp"
#include "agent/store/store_disk.hpp"

namespace fieldpost {
namespace {

/// No outbox comes to it; a mark that says more is damage.
constexpr std::int64_t kRowsMax = std::int64_t{1} << 61;

Epoch random_epoch() {
  Epoch epoch = 0;
  while (epoch == 0) {
    if (::getrandom(&epoch, sizeof epoch, 0) != static_cast<ssize_t>(sizeof epoch)) {
      // No entropy source at all: two epochs of one device still begin at different instants.
      epoch = static_cast<Epoch>(SystemClock{}.utc().time.time_since_epoch().count());
    }
  }
  return epoch;
}

}  // namespace

Event StoreDisk::event_of(std::string name, std::string message, BootTime now) {
  Event event;
  event.name = std::move(name);
  event.severity = Severity::warn;
  event.time = now;
  event.value = std::nan("");
  event.message = std::move(message);
  return event;
}

/// A number must not be used twice. So counting goes on only where all witnesses agree: the database, the
/// marks outside it, and the epoch in state.db; and only within one boot of the machine, for an image of the whole disk put
/// back brings all witnesses with it. Else a new epoch begins; what waits keeps its numbers.
Result<void> StoreDisk::settle_epoch(DiskWork& work) {
  const Epoch epoch = outbox_->epoch();
  const std::uint64_t newest = outbox_->newest_seq();
  const bool marks_agree = marks_ && marks_->epoch == epoch && marks_->newest_seq <= newest &&
                           newest - marks_->newest_seq <= kUnannouncedMax && outbox_->bears_all_since(marks_->newest_seq);
  // Less than the marks say may wait because the marks of the last commit were not written any more.
  if (marks_ && marks_->epoch == epoch && waits_for_less() && outbox_->misses_rows()) {
    return Error{ErrorKind::Malformed, "the outbox has segments that its rows do not name"};
  }
  // A commit of this process that was not known to have happened, and so was not marked.
  const bool is_doubt = doubtful_ && doubtful_->epoch == epoch && doubtful_->outcome.newest_seq == newest;
  const bool agree = epoch != 0 && (marks_agree || is_doubt) && state_->state().epoch == epoch;
  const auto& boots = state_->state().boots;
  const bool is_same_boot = boots.empty() || boots.back().boot == work.moment.boot;
  take_over_handed_out(agree && is_same_boot);
  if (agree && is_same_boot) {
    // Numbers that a crash kept from being announced: from now on they may leave the device.
    if (marks_agree && marks_->newest_seq != newest) write_marks(marks_now(TRY(outbox_->oldest_waiting())));
    return {};
  }
  if (agree) {
    TRY(begin_epoch({}, work.moment));
    write_marks(marks_now(0));
    return {};
  }

  std::vector<Gap> lost;
  std::string why;
  const bool is_first_start = state_->state().epoch == 0 && !marks_ && newest == 0;
  const bool was_beginning = epoch != 0 && newest == 0 && marks_ && marks_->epoch == outbox_->succeeds();
  if (!is_first_start && !was_beginning && (newest > 0 || (marks_ && (marks_->newest_seq > 0 || marks_->any_waits())))) {
    why = "the outbox was lost";
    if (epoch != 0) why = "the outbox does not agree with what was noted outside it (restored from a copy, or damaged)";
    if (marks_ && marks_->epoch == epoch && marks_->newest_seq > newest) lost = gaps_of(newest + 1, marks_->newest_seq);
    // A database of another epoch knows nothing of what the marks speak of, unless it is the one that was
    // beginning the epoch after it.
    if (marks_ && marks_->epoch != epoch && marks_->epoch != outbox_->succeeds() && marks_->any_waits()) {
      lost = gaps_of(marks_->oldest_waiting, marks_->newest_seq);
    }
  }
  if (epoch == 0) TRY(begin_salvage(lost));
  TRY(begin_epoch(lost, work.moment));
  // Told when something is committed in it: until then this may come to pass again, and again.
  if (!why.empty() && new_epoch_why_.empty()) new_epoch_why_ = why;
  if (!lost.empty()) new_epoch_lost_ = {};
  for (const Gap& gap : lost) new_epoch_lost_[index(gap.lane)] = gap.readings;
  return {};
}

void StoreDisk::tell_new_epoch(DiskWork& work) {
  work.lost = std::exchange(new_epoch_lost_, {});
  for (Event& event : std::exchange(later_events_, {})) {
    event.time = work.moment.now;
    work.events.push_back(std::move(event));
  }
  const std::string why = std::exchange(new_epoch_why_, {});
  if (why.empty()) return;
  log_.warn("outbox begins a new epoch", {{"directory", options_.directory}, {"why", why}});
  work.events.push_back(event_of("outbox_new_epoch", why + "; message numbers begin anew in a new epoch", work.moment.now));
}

/// Which lanes the numbers belong to died with the database; so each lane reports the range, with as many
/// readings as are known to have waited, those of earlier epochs among them (whose numbers nobody knows).
std::vector<Gap> StoreDisk::gaps_of(std::uint64_t first_seq, std::uint64_t last_seq) const {
  std::vector<Gap> gaps;
  for (const Lane lane : kLanes) {
    const std::uint64_t waited = last_known_waiting_[index(lane)].readings;
    const std::uint64_t waits = waiting()[index(lane)].readings;
    const std::uint64_t readings = waited > waits ? waited - waits : 0;
    if (first_seq == 0 && readings == 0) continue;
    gaps.push_back({.cause = Gap::Cause::damage, .lane = lane, .readings = readings, .epoch = first_seq == 0 ? 0 : marks_->epoch,
                    .first_seq = first_seq, .last_seq = first_seq == 0 ? 0 : last_seq});
  }
  return gaps;
}

/// What waits, what is still to be salvaged among it: should this outbox prove damaged, too, both are lost.
LaneCounts StoreDisk::waiting() const {
  LaneCounts waits = outbox_->waiting();
  if (!salvage_) return waits;
  for (const Lane lane : kLanes) waits[index(lane)].readings += salvage_->missing()[index(lane)];
  return waits;
}

bool StoreDisk::waits_for_less() const {
  const LaneCounts waits = waiting();
  return std::any_of(kLanes.begin(), kLanes.end(), [&](Lane lane) { return waits[index(lane)].readings < last_known_waiting_[index(lane)].readings; });
}

/// What is lost of an outbox that was set aside shows when all that is whole has come back; until then nothing is told. If the
/// power went before this, the newest copy is the one that the marks speak of.
Result<void> StoreDisk::begin_salvage(std::vector<Gap>& lost) {
  // Far more rows than any outbox has: those that were looked at may all have come out of one before it.
  constexpr std::int64_t kRoom = std::int64_t{1} << 40;
  if (!salvage_) {
    const std::string from = set_aside_as_.empty() ? copy_to_salvage() : set_aside_as_;
    if (from.empty()) return {};
    Salvage::Lost known;
    if (marks_) known = {.epoch = marks_->epoch, .oldest_waiting = marks_->oldest_waiting, .newest_seq = marks_->newest_seq};
    std::tie(known.unsure_epoch, known.unsure_after) = unsure_;
    for (const Gap& gap : lost) known.readings[index(gap.lane)] = gap.readings;
    std::int64_t rows_to = newest_row_;
    const auto file = DamagedFile::open(from);
    if (file) {
      rows_to = std::max(rows_to, std::min(file->newest_row_at_a_glance(), kRowsMax));
    } else if (file.error().kind() != ErrorKind::NotPresent) {
      rows_to += kRoom << 10U;  // it may open later
    }
    TRY(Salvage::begin(*outbox_, from, rows_to + kRoom, known));
    salvage_ = TRY(Salvage::resume(*outbox_));
    salvage_failures_ = {};
    salvage_rests_ = false;
  }
  lost.clear();
  keep_room_for_salvage();
  return {};
}

/// Of those that an earlier process set aside. The newest has nothing if it took the place of another and failed at once.
std::string StoreDisk::copy_to_salvage() const {
  std::string found;
  if (!marks_ || !marks_->any_waits()) return found;
  const auto copies = copies_set_aside(path("outbox.db"));
  for (auto copy = copies.rbegin(); copy != copies.rend(); ++copy) {
    const auto file = DamagedFile::open(*copy);
    if (copy == copies.rbegin()) {
      // One of long ago has been salvaged.
      if (!file || !file->is_of_another(marks_->epoch)) found = *copy;
      if (!file || file->newest_row_at_a_glance() > 0) break;
    } else if (file && file->knows(marks_->epoch, marks_->newest_seq)) {
      return *copy;
    }
  }
  return found;
}

/// What fails is not tried again before the next commit, and none of it may take the room that commits need.
Result<std::optional<OutboxOutcome>> StoreDisk::step_salvage() {
  Result<std::optional<OutboxOutcome>> stepped = Error{ErrorKind::Full, "the reserve is not whole"};
  if (!is_reserve_spent_ || salvage_failures_.count > Salvage::kFailuresMax) stepped = salvage_->step(*outbox_, salvage_failures_, is_unsynced_);
  salvage_rests_ = !stepped;
  if (stepped) {
    if (*stepped) salvage_failures_ = {};
    return stepped;
  }
  ++salvage_failures_.count;
  if (stepped.error().kind() != ErrorKind::Full) return stepped;
  ++salvage_failures_.full;
  struct statvfs space {};
  if (::statvfs(options_.directory.c_str(), &space) == 0 && std::uint64_t{space.f_bavail} * space.f_frsize < std::uint64_t{2 * kReserveBytes}) {
    remove_copies_set_aside(path("outbox.db"), 1, {salvage_->path()});
  }
  return stepped;
}

/// What comes back counts as handed out: it may have been.
void StoreDisk::keep_room_for_salvage() {
  newest_row_ = std::max(newest_row_, salvage_->rows_to());
  for (const Lane lane : kLanes) handed_out_.note_left(lane, {1, salvage_->rows_to()});
}

void StoreDisk::note_salvage() {
  salvaged_segments_ = salvage_->segments();
  salvaged_readings_ = salvage_->readings();
  if (!salvage_->is_done()) return;
  std::uint64_t lost = 0;
  for (const Lane lane : kLanes) {
    new_epoch_lost_[index(lane)] += salvage_->missing()[index(lane)];
    lost += salvage_->missing()[index(lane)];
  }
  log_.info("outbox salvaged", {{"from", salvage_->path()}, {"segments", salvaged_segments_}, {"readings", salvaged_readings_}, {"lost", lost}});
  Event event = event_of("outbox_salvaged", std::to_string(salvaged_segments_) + " segments (" + std::to_string(salvaged_readings_) +
                         " readings) were brought back out of " + salvage_->path() + "; " + std::to_string(lost) + " readings are lost", {});
  event.severity = Severity::info;
  later_events_.push_back(std::move(event));
  salvage_.reset();
}

/// Marks that speak of what waited stay as they are until the first commit of the epoch: should this outbox
/// prove damaged after all, nothing but they knows of it.
Result<void> StoreDisk::begin_epoch(const std::vector<Gap>& lost, const OutboxMoment& moment) {
  const Epoch epoch = random_epoch();
  TRY(outbox_->begin_epoch(epoch, marks_ ? marks_->epoch : 0, lost, moment));
  if (!marks_ || !marks_->any_waits()) write_marks({.epoch = epoch});
  StoredState state = state_->state();
  state.epoch = epoch;
  at_ = Place::state;
  TRY(state_->store(state).with_context("state.db"));
  at_ = Place::outbox;
  return {};
}

Marks StoreDisk::marks_now(std::uint64_t oldest_waiting) const {
  Marks marks{.epoch = outbox_->epoch(), .newest_seq = outbox_->newest_seq(), .oldest_waiting = oldest_waiting};
  if (marks_ && marks_->epoch == marks.epoch) marks.newest_acknowledged = marks_->newest_acknowledged;
  const LaneCounts waits = waiting();
  for (const Lane lane : kLanes) marks.waiting[index(lane)] = waits[index(lane)].readings;
  return marks;
}

bool StoreDisk::write_marks(Marks marks) {
  constexpr std::int64_t kBlockBytes = 4'096;
  written_bytes_ += kBlockBytes;
  const auto written = mark_storage_->write(marks);
  if (!written) {
    log_.warn("outbox marks not written", {{"directory", options_.directory}, {"error", written.error().sentence()}});
    if (marks_) marks.handed_out = marks_->handed_out;  // that still stands there
  }
  marks_ = std::move(marks);
  return written.has_value();
}

/// What earlier processes handed out is known from the marks, where they are of this outbox and boot; else all of it may have been.
void StoreDisk::take_over_handed_out(bool marks_agree) {
  const bool is_first = !std::exchange(knows_handed_out_, true);
  if (!is_first && marks_agree) return;
  const bool is_known = marks_agree && marks_ && marks_->handed_out;
  for (const Lane lane : kLanes) {
    if (!is_known) {
      handed_out_.note_left(lane, {0, newest_row_});
      continue;
    }
    for (const HandedOut::Range& range : (*marks_->handed_out)[index(lane)]) {
      handed_out_.note_left(lane, range);
      // Rows of an outbox that was emptied begin below; they would count as handed out.
      newest_row_ = std::max(newest_row_, std::min(range.last, kRowsMax));
    }
  }
  outbox_->keep_rows_above(newest_row_);
}

/// Should this process end without a word, the next one must not take what an earlier one said for all that was handed out.
bool StoreDisk::may_hand_out() {
  if (!marks_ || !marks_->handed_out) return true;
  Marks marks = *marks_;
  marks.handed_out.reset();
  return write_marks(std::move(marks));
}

}  // namespace fieldpost
