// SPDX-License-Identifier: Apache-2.0
// Two tables hold the segments: `segment` has a short row for each, ordered by lane and age, so that
// counting, choosing and dropping never read a body; `body` only grows at its end. A commit so touches one
// page of the first and the last pages of the second. The newest seq is the database's user_version: it
// lies on the first page, which every commit writes anyway.
#include "agent/store/outbox_database.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "agent/store/outbox_rewrite.hpp"
#include "agent/store/outbox_transaction.hpp"
#include "agent/store/schema.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr std::array<std::string_view, 4> kTables{"body", "gap", "property", "segment"};
constexpr const char* kSchema =
    "CREATE TABLE property(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "INSERT INTO property(name, value) VALUES('schema', 1);"
    "CREATE TABLE segment(lane INTEGER NOT NULL, row INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, readings INTEGER NOT NULL, gaps INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " boot BLOB NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, PRIMARY KEY(lane, row)) WITHOUT ROWID;"
    "CREATE TABLE body(row INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE gap(cause INTEGER NOT NULL, lane INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " boot TEXT NOT NULL, readings INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,"
    " first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, PRIMARY KEY(cause, lane, epoch, boot)) WITHOUT ROWID;";

/// What schema 2 has and 1 had not: of the segments that were made of several, the number of the oldest; and beside each report of
/// gaps what it says, should its body become unreadable. A version before it leaves the tables alone.
constexpr const char* kSchema2 =
    "CREATE TABLE merged(row INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, thinned INTEGER NOT NULL);"
    "CREATE TABLE told(row INTEGER NOT NULL, cause, lane, epoch, boot, readings, first_seq, last_seq, first_ns, last_ns);"
    "UPDATE property SET value = 2 WHERE name = 'schema';";

/// A change that was refused for want of pages is tried again with so many more dropped.
constexpr std::int64_t kSlackPages = 16;
constexpr int kAttemptsMax = 4;

std::int64_t wal_bytes_of(const OutboxOptions& options) {
  return std::min(OutboxDatabase::kWalBytesMax, std::max(options.quota_bytes, OutboxDatabase::kQuotaBytesMin) / 4);
}

}  // namespace

std::int64_t OutboxDatabase::weight_of(std::int64_t bytes) {
  constexpr std::int64_t kRowBytes = 100;
  return std::clamp<std::int64_t>(bytes, 0, kSegmentBytesMax) + kRowBytes;
}

std::int64_t OutboxDatabase::share_bytes(Lane lane) const {
  constexpr std::int64_t kFilledPercent = 85;  // of its pages, with what is in them of trees
  return pages_max() * page_bytes_ * kFilledPercent / 100 * options_.lane_percent[index(lane)] / 100;
}

std::int64_t OutboxDatabase::pages_max() const {
  return (std::max(options_.quota_bytes, kQuotaBytesMin) - wal_bytes_of(options_)) / page_bytes_;
}

Result<OutboxDatabase> OutboxDatabase::open(const OutboxOptions& options, const BootTable& boots, ReadFailures& failures,
                                            HandedOut& handed_out) {
  Sqlite::Options sqlite;
  sqlite.wal_bytes_max = wal_bytes_of(options);
  sqlite.page_bytes = kPageBytes;
  sqlite.vfs = options.vfs;
  Sqlite database = TRY(Sqlite::open(options.path, sqlite));
  TRY(make_tables(database, kSchema, kTables));
  OutboxDatabase outbox{std::move(database), options, boots, failures, handed_out};
  TRY(outbox.add_schema_2());
  TRY(outbox.load());
  // The short rows were read under it. Of the bodies, which have their own CRC, it would make one bad cell the end of its whole
  // page, and so of the place where new ones go.
  TRY(outbox.database_.execute("PRAGMA cell_size_check = OFF"));
  // SQLite does this for a log that it makes, and takes it for done where the directory cannot be opened (no descriptor is left).
  TRY(sync_directory_of(options.path));
  // A quota that was made smaller than the file: it cannot shrink below what is there, and what is there
  // is worked off by drops.
  const std::int64_t pages = std::max(outbox.pages_max(), TRY(outbox.number("page_count")));
  TRY(outbox.database_.execute(("PRAGMA max_page_count = " + std::to_string(pages)).c_str()));
  return outbox;
}

/// In one transaction with the number that tells of it.
Result<void> OutboxDatabase::add_schema_2() {
  auto statement = TRY(database_.prepare("SELECT value FROM property WHERE name = 'schema'"));
  const std::int64_t schema = TRY(statement.step()) ? statement.integer(0) : 0;
  statement.reset();
  if (schema != 1) return {};
  auto transaction = TRY(SqliteTransaction::begin(database_));
  TRY(database_.execute(kSchema2));
  return transaction.commit();
}

Result<std::int64_t> OutboxDatabase::number(const char* pragma) {
  auto statement = TRY(database_.prepare(std::string{"PRAGMA "} + pragma));
  std::int64_t value = 0;
  if (TRY(statement.step())) value = statement.integer(0);
  return value;
}

/// Counts what waits: one pass over the short rows, some 60 bytes each, whatever the bodies weigh.
Result<void> OutboxDatabase::load() {
  newest_seq_ = static_cast<std::uint64_t>(std::max<std::int64_t>(TRY(number("user_version")), 0));
  page_bytes_ = std::max<std::int64_t>(TRY(number("page_size")), 1);  // a file keeps the size it was made with
  auto property = TRY(database_.prepare("SELECT name = 'epoch', value FROM property WHERE name IN ('epoch', 'succeeds')"));
  while (TRY(property.step())) (property.integer(0) != 0 ? epoch_ : succeeds_) = std::bit_cast<Epoch>(property.integer(1));
  waiting_ = {};
  std::vector<std::uint64_t> held;
  struct {
    std::int64_t lane = -1;
    std::int64_t row = 0;
    Epoch epoch = 0;
    std::uint64_t seq = 0;
  } before;
  auto rows = TRY(database_.prepare("SELECT lane, row, epoch, seq, readings, bytes FROM segment"));
  while (TRY(rows.step())) {
    const std::int64_t lane = rows.integer(0);
    const std::int64_t readings = rows.integer(4);
    if (lane < 0 || lane >= std::int64_t{kLanes.size()} || readings < 0 || rows.integer(1) <= 0) {
      return Error{ErrorKind::Malformed, "a row of the outbox makes no sense"};
    }
    // Pages of two times (a disk that ignored a sync) make a tree that SQLite walks without complaint; rows come up in it twice.
    const std::int64_t row = rows.integer(1);
    const auto epoch = std::bit_cast<Epoch>(rows.integer(2));
    const auto seq = static_cast<std::uint64_t>(rows.integer(3));
    const bool ascends = lane > before.lane || (lane == before.lane && row > before.row && (epoch != before.epoch || seq > before.seq));
    if (!ascends) return Error{ErrorKind::Malformed, "the rows of the outbox are not in order"};
    before = {lane, row, epoch, seq};
    LaneCount& count = waiting_[static_cast<std::size_t>(lane)];
    ++count.segments;
    count.readings += static_cast<std::uint64_t>(readings);
    count.bytes += weight_of(rows.integer(5));
    newest_row_ = std::max(newest_row_, row);
    if (epoch == epoch_) held.push_back(seq);
  }
  // Not of `body`, where a bad cell would be the end of all: see insert_one().
  for (const char* sql : {"SELECT max(row) FROM merged", "SELECT max(row) FROM told"}) {
    auto newest = TRY(database_.prepare(sql));
    if (TRY(newest.step())) newest_row_ = std::max(newest_row_, newest.integer(0));
  }
  if (newest_row_ > (std::int64_t{1} << 62)) return Error{ErrorKind::Malformed, "a row of the outbox makes no sense"};

  // How far down from newest_seq_ every seq waits here: what was committed but never announced (a crash
  // in between) cannot have been acknowledged.
  std::sort(held.begin(), held.end());
  consistent_ = held.empty() || held.back() <= newest_seq_;
  newest_held_run_ = newest_seq_;
  for (auto seq = held.rbegin(); seq != held.rend() && *seq == newest_held_run_; ++seq) --newest_held_run_;
  return {};
}

std::int64_t OutboxDatabase::file_bytes() {
  const auto pages = number("page_count");
  const auto free = number("freelist_count");
  return pages && free ? (*pages - *free) * page_bytes_ : 0;
}

std::int64_t OutboxDatabase::take_written_bytes() {
  constexpr std::int64_t kFrameHeaderBytes = 24;
  return database_.take_pages_written() * (2 * page_bytes_ + kFrameHeaderBytes);
}

Result<std::uint64_t> OutboxDatabase::oldest_waiting() {
  std::uint64_t oldest = 0;
  auto statement = TRY(database_.prepare("SELECT coalesce(first_seq, seq) FROM segment LEFT JOIN merged USING(row)"
                                         " WHERE lane = ? AND epoch = ? ORDER BY row LIMIT 1"));
  for (const Lane lane : kLanes) {
    statement.bind(1, std::int64_t{static_cast<std::uint8_t>(lane)});
    statement.bind(2, std::bit_cast<std::int64_t>(epoch_));
    if (!TRY(statement.step())) continue;
    const auto seq = static_cast<std::uint64_t>(statement.integer(0));
    statement.reset();
    if (oldest == 0 || seq < oldest) oldest = seq;
  }
  return oldest;
}

bool OutboxDatabase::misses_rows() {
  // What fails here is no reason to do without the outbox: it is told when it comes to that body.
  auto rows = database_.prepare("SELECT row FROM body WHERE NOT EXISTS(SELECT 1 FROM segment WHERE lane IN (0, 1, 2, 3) AND segment.row = body.row)");
  auto body = database_.prepare("SELECT bytes FROM body WHERE row = ?");
  while (rows && body && rows->step().value_or(false)) {
    body->reset();
    body->bind(1, rows->integer(0));
    // Others are left behind where their removal would do harm.
    if (body->step().value_or(false) && decode_segment_header(body->blob(0))) return true;
  }
  return false;
}

Result<void> OutboxDatabase::begin_epoch(Epoch epoch, Epoch succeeds, const std::vector<Gap>& lost, const OutboxMoment& moment) {
  OutboxTransaction work{*this, moment};
  auto transaction = TRY(SqliteTransaction::begin(database_));
  auto property = TRY(database_.prepare("INSERT OR REPLACE INTO property(name, value) VALUES('epoch', ?), ('succeeds', ?)"));
  property.bind(1, std::bit_cast<std::int64_t>(epoch));
  property.bind(2, std::bit_cast<std::int64_t>(succeeds));
  TRY(property.run());
  for (const Gap& gap : lost) TRY(work.record(gap));
  TRY(database_.execute("PRAGMA user_version = 0"));
  TRY(transaction.commit());
  epoch_ = epoch;
  succeeds_ = succeeds;
  newest_seq_ = 0;
  newest_held_run_ = 0;
  consistent_ = true;
  return {};
}

Result<OutboxOutcome> OutboxDatabase::apply(const OutboxChange& change, const OutboxMoment& moment,
                                            const SegmentBuilder& builder, std::optional<OutboxOutcome>& in_doubt) {
  for (int attempt = 1;; ++attempt) {
    const std::uint64_t bodies_given_up = failures_->given_up();
    in_doubt.reset();
    OutboxTransaction work{*this, moment};
    const auto make = [&]() -> Result<void> {
      auto transaction = TRY(SqliteTransaction::begin(database_));
      for (const auto& gone : change.acknowledged) TRY(work.acknowledge(gone.lane, gone.row));
      for (const auto& given_up : change.given_up) TRY(work.drop(given_up.lane, given_up.row, given_up.cause));
      for (const Gap& gap : change.gaps) TRY(work.record(gap));
      TRY(work.drop_old());
      TRY(work.insert(change.segments, attempt * kSlackPages));
      TRY(work.report_gaps(builder, {.epoch = epoch_, .seq = newest_seq_ + change.segments.size(), .boot = moment.boot}));
      TRY(work.finish());
      in_doubt = work.outcome();
      TRY(transaction.commit());
      return {};
    };
    auto made = make();
    if (made) return work.settle();
    if (failures_->given_up() != bodies_given_up) {  // one body less is in the way
      --attempt;
      continue;
    }
    if (made.error().kind() != ErrorKind::Full || attempt == kAttemptsMax) return made.error();
    // The quota, or the disk? If pages are left by the quota's account, it is the disk, and dropping
    // would not help.
    const auto count = number("page_count");
    const auto free = number("freelist_count");
    if (!count || !free || pages_max() - *count + *free > 2 * kSlackPages * attempt) return made.error();
  }
}

Result<void> OutboxDatabase::write_through() {
  auto statement = TRY(database_.prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
  if (!TRY(statement.step()) || statement.integer(0) != 0) return Error{ErrorKind::Unavailable, "the log cannot be written back"};
  return {};
}

Result<std::vector<OutboxRow>> OutboxDatabase::fetch(Lane lane, std::int64_t after, std::size_t count,
                                                     std::size_t bytes_max,
                                                     std::array<std::uint64_t, kLanes.size()>& dropped) {
  count = std::clamp<std::size_t>(count, 1, 1'000'000);
  after = std::max(after, held_back_to_);
  while (true) {
    std::vector<std::int64_t> damaged;
    auto found = TRY(read(lane, after, count, bytes_max, damaged));
    if (!damaged.empty()) TRY(drop_damaged(lane, damaged, dropped));
    // Where all of them were damaged, more is behind them: who gets nothing takes the lane for empty.
    if (!found.empty() || damaged.size() < count) return found;
    after = damaged.back();
  }
}

Result<std::vector<OutboxRow>> OutboxDatabase::read(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                                                    std::vector<std::int64_t>& damaged) {
  std::vector<OutboxRow> found;
  auto rows = TRY(database_.prepare("SELECT row, epoch, seq FROM segment WHERE lane = ? AND row > ? ORDER BY row LIMIT ?"));
  auto body = TRY(database_.prepare("SELECT bytes FROM body WHERE row = ?"));
  rows.bind(1, std::int64_t{static_cast<std::uint8_t>(lane)});
  rows.bind(2, after);
  rows.bind(3, static_cast<std::int64_t>(count));
  std::size_t bytes = 0;
  while (TRY(rows.step())) {
    const std::int64_t row = rows.integer(0);
    std::span<const std::byte> blob;
    body.reset();
    body.bind(1, row);
    if (!failures_->is_given_up(row)) {
      const auto stepped = body.step();
      if (!stepped && !failures_->note(row, stepped.error())) {
        if (found.empty()) return stepped.error();
        break;  // those before it first
      }
      if (stepped) failures_->note_read();
      if (stepped && *stepped) blob = body.blob(0);
    }
    if (!found.empty() && bytes + blob.size() > bytes_max) break;
    auto header = decode_segment_header(blob);
    const bool is_it = header && header->lane == lane && header->epoch == std::bit_cast<Epoch>(rows.integer(1)) &&
                       header->seq == static_cast<std::uint64_t>(rows.integer(2));
    if (!is_it) {
      damaged.push_back(row);
      continue;
    }
    bytes += blob.size();
    found.push_back({row, std::move(*header), {blob.begin(), blob.end()}});
  }
  return found;
}

Result<std::optional<OutboxOutcome>> OutboxDatabase::merge(bool& in_doubt) {
  constexpr int kStepsMax = 8;
  in_doubt = false;
  const OutboxMoment moment{};
  for (const Lane lane : kLanes) {
    if (unmerged_[index(lane)] < std::max(options_.merge_segments_min, merge_at_[index(lane)])) continue;
    OutboxTransaction work{*this, moment};
    auto transaction = TRY(SqliteTransaction::begin(database_));
    OutboxRewrite rewrite{work};
    auto step = OutboxRewrite::Step::skipped;
    for (int i = 0; i < kStepsMax && step == OutboxRewrite::Step::skipped; ++i) step = TRY(rewrite.merge(lane));
    if (step == OutboxRewrite::Step::done) {
      in_doubt = true;
      TRY(transaction.commit());
      in_doubt = false;
      return std::optional{work.settle()};
    }
    merged_to_[index(lane)] = work.merged_to(lane);
    if (step == OutboxRewrite::Step::skipped) continue;
    unmerged_[index(lane)] = 0;
    merge_at_[index(lane)] = rewrite.rows() / 2;
  }
  return std::optional<OutboxOutcome>{};
}

Result<void> OutboxDatabase::drop_damaged(Lane lane, const std::vector<std::int64_t>& rows,
                                          std::array<std::uint64_t, kLanes.size()>& dropped) {
  const OutboxMoment moment{};
  while (true) {
    const std::uint64_t bodies_given_up = failures_->given_up();
    OutboxTransaction work{*this, moment};
    const auto make = [&]() -> Result<void> {
      auto transaction = TRY(SqliteTransaction::begin(database_));
      for (const std::int64_t row : rows) TRY(work.drop(lane, row, Gap::Cause::damage));
      return transaction.commit();
    };
    const auto made = make();
    if (!made && failures_->given_up() == bodies_given_up) return made;
    if (!made) continue;
    const OutboxOutcome outcome = work.settle();
    for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += outcome.dropped[i];
    return {};
  }
}

}  // namespace fieldpost
