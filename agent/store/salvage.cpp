// SPDX-License-Identifier: Apache-2.0
// What comes back keeps its row, and so its place: rows of the new outbox begin behind all that the old one can have had. Between
// its neighbours it must fit by number as well: two segments never bear one number, of what was merged and what it was
// merged from the wider one stays, and a row that damage has changed is left out.
#include "agent/store/salvage.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace fieldpost {
namespace {

// One row is what is being salvaged; others, without a path, name rows that were acknowledged before they came back.
constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS salvage(path TEXT, rows_to, epoch, oldest, newest, position, segments, readings, alert, event, live, bulk,"
    " unsure, unsure_after);"
    "DELETE FROM salvage;";

struct Span {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool covers(const Span& other) const { return first <= other.first && other.last <= last && last - first > other.last - other.first; }
};

}  // namespace

Result<void> Salvage::begin(OutboxDatabase& outbox, const std::string& path, std::int64_t rows_to, const Lost& lost) {
  auto transaction = TRY(SqliteTransaction::begin(outbox.database_));
  TRY(outbox.database_.execute(kTable));
  auto row = TRY(outbox.database_.prepare("INSERT INTO salvage VALUES(?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, ?, ?, ?)"));
  row.bind(1, std::string_view{path}.substr(path.rfind('/') + 1));  // the directory may move
  row.bind(2, rows_to);
  row.bind(3, std::bit_cast<std::int64_t>(lost.epoch));
  row.bind(4, static_cast<std::int64_t>(lost.oldest_waiting));
  row.bind(5, static_cast<std::int64_t>(lost.newest_seq));
  for (std::size_t i = 0; i < kLanes.size(); ++i) row.bind(6 + static_cast<int>(i), static_cast<std::int64_t>(lost.readings[i]));
  row.bind(10, std::bit_cast<std::int64_t>(lost.unsure_epoch));
  row.bind(11, static_cast<std::int64_t>(lost.unsure_after));
  TRY(row.run());
  return transaction.commit();
}

Result<std::optional<Salvage>> Salvage::resume(OutboxDatabase& outbox) {
  std::optional<Salvage> none;
  auto table = TRY(outbox.database_.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'salvage'"));
  if (!TRY(table.step())) return none;
  table.reset();
  auto row = TRY(outbox.database_.prepare("SELECT * FROM salvage WHERE path IS NOT NULL"));
  if (!TRY(row.step())) return none;
  const auto number = [&row](int column) { return static_cast<std::uint64_t>(row.integer(column)); };
  Salvage salvage;
  const std::string& beside = outbox.options_.path;
  const std::string name{row.text(0)};
  salvage.path_ = beside.substr(0, beside.rfind('/') + 1) + name.substr(name.rfind('/') + 1);
  salvage.rows_to_ = row.integer(1);
  salvage.lost_ = {.epoch = number(2), .oldest_waiting = number(3), .newest_seq = number(4)};
  salvage.progress_ = {.position = number(5), .segments = number(6), .readings = number(7)};
  for (std::size_t i = 0; i < kLanes.size(); ++i) salvage.progress_.missing[i] = number(8 + static_cast<int>(i));
  salvage.lost_.unsure_epoch = number(12);
  salvage.lost_.unsure_after = number(13);
  outbox.hold_back(salvage.rows_to_);
  return std::optional{std::move(salvage)};
}

Result<std::optional<OutboxOutcome>> Salvage::step(OutboxDatabase& outbox, Failures failures, bool& in_doubt) {
  in_doubt = false;
  std::optional<OutboxOutcome> nothing;
  const bool is_given_up = failures.count > kFailuresMax;
  if (!is_open_) {
    auto opened = DamagedFile::open(path_);
    if (!opened && opened.error().kind() != ErrorKind::NotPresent && !is_given_up) return Error{ErrorKind::Unavailable, opened.error().sentence()};
    if (opened) file_.emplace(std::move(*opened));
    is_open_ = true;
  }
  if (file_ && !knows_runs_ && !is_given_up) {
    knows_used_ = knows_used_ || file_->survey(kPagesAStep);
    knows_runs_ = knows_used_ && runs_.survey(*file_, kPagesAGlance);
    return nothing;
  }
  const std::uint64_t end_of_file = file_ && !is_given_up ? file_->pages() * std::uint64_t{DamagedFile::kPageBytes} : 0;
  Progress progress = progress_;
  const OutboxMoment moment{};
  OutboxTransaction work{outbox, moment};
  auto transaction = TRY(SqliteTransaction::begin(outbox.database_));
  // Pages are not bytes, so more room may be needed than it seems; but what is old must not push out what is new for it.
  constexpr std::int64_t kSlackPages = 64;
  const std::int64_t slack_pages = std::min(kSlackPages * std::min(failures.full, 4), outbox.pages_max() / 16);
  std::size_t bytes = 0;
  for (std::size_t pages = 0; pages < kPagesAStep && bytes < kBytesAStep && progress.position < end_of_file; ++pages) {
    const std::uint64_t page = progress.position / DamagedFile::kPageBytes;
    const std::size_t from = progress.position % DamagedFile::kPageBytes;
    progress.position = (page + 1) * DamagedFile::kPageBytes;
    for (const auto& cell : file_->cells(static_cast<std::uint32_t>(page) + 1)) {
      if (cell.begin < from) continue;
      if (bytes >= kBytesAStep) {
        progress.position = page * DamagedFile::kPageBytes + cell.begin;
        break;
      }
      bytes += cell.bytes;
      TRY(take(work, slack_pages, static_cast<std::uint32_t>(page) + 1, cell, progress));
    }
  }
  const bool is_end = progress.position >= end_of_file;
  const bool is_changed = progress.segments != progress_.segments || progress.missing != progress_.missing;
  if (is_changed || is_end) {
    if (is_end && slack_pages > 0) TRY(work.insert({}, slack_pages));
    TRY(is_end ? end(work, progress) : note(work, progress));
    in_doubt = true;
    TRY(transaction.commit());
    in_doubt = false;
  }
  progress_ = progress;
  is_done_ = is_end;
  if (is_end) outbox.hold_back(0);
  if (is_changed || is_end) return std::optional{work.settle()};
  return nothing;
}

Result<void> Salvage::take(OutboxTransaction& work, std::int64_t slack_pages, std::uint32_t page, const DamagedFile::Cell& cell, Progress& progress) {
  auto bytes = file_->body(page, cell);
  const auto header = decode_segment_header(bytes ? std::span<const std::byte>{*bytes} : std::span<const std::byte>{});
  if (!header || cell.row > rows_to_ || header->first_seq == 0 || header->seq > OutboxDatabase::kSeqMax) return {};
  // Known to be acknowledged, or told as dropped; but of one that SQLite could not read, what told of it may have gone with the old
  // outbox.
  ReadFailures& failures = *work.outbox_.failures_;
  if (header->epoch == lost_.epoch && header->seq < oldest() && !failures.is_given_up(cell.row)) return {};
  if (header->epoch == lost_.unsure_epoch && header->seq > lost_.unsure_after) return {};
  const auto verdict = runs_.judge(*header);
  if (verdict == ThinnedRuns::Verdict::leave) return {};
  std::uint64_t& missing = progress.missing[index(header->lane)];
  const std::uint64_t counted = is_counted(header->epoch, header->seq) && verdict == ThinnedRuns::Verdict::take ? header->readings() : 0;
  auto acknowledged = TRY(work.sqlite_.prepare("SELECT 1 FROM salvage WHERE path IS NULL AND rows_to = ?"));
  acknowledged.bind(1, cell.row);
  if (TRY(acknowledged.step())) {
    missing -= std::min(missing, counted);
    return {};
  }
  if (!TRY(make_place(work, cell.row, *header, progress))) return {};

  // By the ordinary rule of the quota; only row and numbers are those of before.
  const std::int64_t newest_row = std::exchange(work.newest_row_, cell.row - 1);
  const std::uint64_t newest_seq = work.outcome_.newest_seq;
  const std::size_t before = work.outcome_.durable.size();
  std::vector<EncodedSegment> segment;
  segment.push_back({*header, std::move(*bytes)});
  TRY(work.insert(segment, slack_pages));
  work.newest_row_ = newest_row;
  work.outcome_.newest_seq = newest_seq;
  if (work.outcome_.durable.size() > before && (header->first_seq != header->seq || header->is_thinned)) {
    TRY(work.note_merged(cell.row, *header));
  }
  failures.forget(cell.row);  // it stands elsewhere now
  ++progress.segments;
  progress.readings += header->readings();
  missing -= std::min(missing, counted);
  return {};
}

/// False if there is none. Nothing of the old outbox is handed out yet, so that what is covered may go again.
Result<bool> Salvage::make_place(OutboxTransaction& work, std::int64_t row, const SegmentHeader& header, Progress& progress) {
  const Span wanted{header.first_seq, header.seq};
  auto before = TRY(work.sqlite_.prepare("SELECT max(row) FROM segment WHERE lane = ? AND row <= ?"));
  while (true) {
    before.bind(1, std::int64_t{static_cast<std::uint8_t>(header.lane)});
    before.bind(2, row);
    std::vector<OutboxTransaction::Row> neighbours = TRY(work.rows_of(header.lane, row, 1));
    if (TRY(before.step()) && !before.is_null(0)) {
      const std::int64_t place = before.integer(0);
      if (auto meta = TRY(work.meta_of(header.lane, place))) neighbours.push_back({place, *meta});
    }
    before.reset();
    const auto in_the_way = std::find_if(neighbours.begin(), neighbours.end(), [&](const auto& other) {
      if (other.row == row) return true;
      if (other.row > rows_to_ || other.meta.epoch != header.epoch) return false;
      return other.row < row ? other.meta.seq >= wanted.first : other.meta.first_seq <= wanted.last;
    });
    if (in_the_way == neighbours.end()) break;
    const auto& meta = in_the_way->meta;
    if (meta.epoch != header.epoch) return false;
    const bool is_covered = wanted.covers({meta.first_seq, meta.seq});
    if (!is_covered && !TRY(is_out_of_place(work, header, in_the_way->row - static_cast<std::int64_t>(meta.seq), row - static_cast<std::int64_t>(header.seq)))) {
      return false;
    }
    TRY(work.remove(header.lane, in_the_way->row, meta));
    progress.segments -= std::min<std::uint64_t>(progress.segments, 1);
    progress.readings -= std::min(progress.readings, meta.readings);
    if (is_counted(meta.epoch, meta.seq)) progress.missing[index(header.lane)] += meta.readings;
  }
  auto body = TRY(work.sqlite_.prepare("SELECT 1 FROM body WHERE row = ?"));
  body.bind(1, row);
  return !TRY(body.step());
}

/// The row stands outside the segment's CRC; one byte of it that is wrong would cost all those that come between. Rows and numbers of
/// an epoch go on together, so of two that contradict each other the one is wrong whose distance nobody shares.
Result<bool> Salvage::is_out_of_place(OutboxTransaction& work, const SegmentHeader& header, std::int64_t present, std::int64_t coming) {
  if (present == coming) return false;
  auto others = TRY(work.sqlite_.prepare("SELECT count(*) FROM (SELECT 1 FROM segment WHERE epoch = ? AND row - seq = ? AND row <= ? LIMIT 2)"));
  const auto count_of = [&](std::int64_t distance) -> Result<std::int64_t> {
    others.reset();
    others.bind(1, std::bit_cast<std::int64_t>(header.epoch));
    others.bind(2, distance);
    others.bind(3, rows_to_);
    TRY(others.step());
    return others.integer(0);
  };
  if (TRY(count_of(present)) > 1) return false;
  // Neither is known to have company: the first one is left out, the next with the same distance tells.
  return TRY(count_of(coming)) > 0 || std::exchange(odd_distance_, coming) == coming;
}

Result<void> Salvage::note(OutboxTransaction& work, const Progress& progress) {
  auto row = TRY(work.sqlite_.prepare("UPDATE salvage SET position = ?, segments = ?, readings = ?, alert = ?, event = ?, live = ?, bulk = ? WHERE path IS NOT NULL"));
  row.bind(1, static_cast<std::int64_t>(progress.position));
  row.bind(2, static_cast<std::int64_t>(progress.segments));
  row.bind(3, static_cast<std::int64_t>(progress.readings));
  for (std::size_t i = 0; i < kLanes.size(); ++i) row.bind(4 + static_cast<int>(i), static_cast<std::int64_t>(progress.missing[i]));
  return row.run();
}

/// Which lane a number that is missing belonged to died with the database; so each lane that misses readings tells all of them, from
/// the first to the last. What is missing of earlier epochs, whose numbers nobody knows, is in the counts.
Result<void> Salvage::end(OutboxTransaction& work, const Progress& progress) {
  Span missing;
  std::uint64_t next = oldest();
  const auto there_is = [&](std::uint64_t first, std::uint64_t last) {
    if (first > next) missing = {missing.first == 0 ? next : missing.first, first - 1};
    next = std::max(next, last + 1);
  };
  // One pass by number over the short rows of four lanes, each in order.
  std::array<SqliteStatement, kLanes.size()> rows;
  std::array<Span, kLanes.size()> heads{};
  const auto advance = [&](std::size_t lane) -> Result<void> {
    heads[lane] = {};
    if (!TRY(rows[lane].step())) return {};
    heads[lane] = {static_cast<std::uint64_t>(rows[lane].integer(0)), static_cast<std::uint64_t>(rows[lane].integer(1))};
    return {};
  };
  for (std::size_t lane = 0; lane < kLanes.size(); ++lane) {
    rows[lane] = TRY(work.sqlite_.prepare("SELECT coalesce(first_seq, seq), seq FROM segment LEFT JOIN merged USING(row)"
                                          " WHERE lane = ? AND row <= ? AND epoch = ? ORDER BY row"));
    rows[lane].bind(1, static_cast<std::int64_t>(lane));
    rows[lane].bind(2, rows_to_);
    rows[lane].bind(3, std::bit_cast<std::int64_t>(lost_.epoch));
    TRY(advance(lane));
  }
  while (true) {
    std::size_t lowest = kLanes.size();
    for (std::size_t lane = 0; lane < kLanes.size(); ++lane) {
      if (heads[lane].last != 0 && (lowest == kLanes.size() || heads[lane].first < heads[lowest].first)) lowest = lane;
    }
    if (lowest == kLanes.size() || heads[lowest].first > lost_.newest_seq) break;
    there_is(heads[lowest].first, heads[lowest].last);
    TRY(advance(lowest));
  }
  there_is(lost_.newest_seq + 1, lost_.newest_seq);
  for (auto& statement : rows) statement.reset();

  // A file that is older than the marks, or of which nobody knows what is in use, may have brought back what was acknowledged
  // since, in place of what is lost.
  const bool is_older = missing.first != 0 && file_ && !(file_->knows(lost_.epoch, lost_.newest_seq) && file_->knows_used());
  for (const Lane lane : kLanes) {
    if (progress.missing[index(lane)] == 0 && !is_older) continue;
    TRY(work.record({.cause = Gap::Cause::damage, .lane = lane, .readings = progress.missing[index(lane)],
                     .epoch = missing.first == 0 ? 0 : lost_.epoch, .first_seq = missing.first, .last_seq = missing.last}));
  }
  return work.sqlite_.execute("DELETE FROM salvage");
}

}  // namespace fieldpost
