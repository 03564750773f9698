// SPDX-License-Identifier: Apache-2.0
// The steps of a change. Counts are kept beside and taken over only when the commit has succeeded.
#include "agent/store/outbox_transaction.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "agent/store/batch.hpp"
#include "agent/store/outbox_rewrite.hpp"

namespace fieldpost {
namespace {

/// Pages a segment takes at most: its body, cut where pages end, its share of the interior pages and its
/// short row.
std::int64_t pages_for(std::size_t bytes) {
  constexpr std::size_t kUsable = OutboxDatabase::kPageBytes - 64;
  return static_cast<std::int64_t>(bytes / kUsable) + 2;
}

std::int64_t number_of(Lane lane) { return static_cast<std::int64_t>(index(lane)); }

/// Lanes from the first to be dropped to the last.
constexpr std::array kDropOrder{Lane::bulk, Lane::live, Lane::event, Lane::alert};

}  // namespace

Result<std::vector<OutboxTransaction::Row>> OutboxTransaction::rows_of(Lane lane, std::int64_t after, std::size_t count) {
  std::vector<Row> rows;
  auto statement = TRY(sqlite_.prepare("SELECT segment.row, epoch, seq, readings, gaps, bytes, boot, first_ns, last_ns, first_seq, thinned FROM segment"
                                       " LEFT JOIN merged ON merged.row = segment.row WHERE lane = ? AND segment.row > ? ORDER BY segment.row LIMIT ?"));
  statement.bind(1, number_of(lane));
  statement.bind(2, after);
  statement.bind(3, static_cast<std::int64_t>(count));
  while (TRY(statement.step())) {
    const auto seq = static_cast<std::uint64_t>(statement.integer(2));
    const bool is_merged = !statement.is_null(9);
    rows.push_back({statement.integer(0), {.epoch = std::bit_cast<Epoch>(statement.integer(1)),
                                           .seq = seq,
                                           .first_seq = is_merged ? std::min(static_cast<std::uint64_t>(statement.integer(9)), seq) : seq,
                                           .is_merged = is_merged,
                                           .is_thinned = statement.integer(10) != 0,
                                           .readings = static_cast<std::uint64_t>(statement.integer(3)),
                                           .gaps = static_cast<std::uint64_t>(statement.integer(4)),
                                           .bytes = statement.integer(5),
                                           .boot = boot_id_of(statement.blob(6)),
                                           .first = BootTime{nanoseconds{statement.integer(7)}},
                                           .last = BootTime{nanoseconds{statement.integer(8)}}}});
  }
  return rows;
}

Result<std::optional<OutboxTransaction::Meta>> OutboxTransaction::meta_of(Lane lane, std::int64_t row) {
  const auto rows = TRY(rows_of(lane, row - 1, 1));
  if (rows.empty() || rows[0].row != row) return std::optional<Meta>{};
  return std::optional{rows[0].meta};
}

Result<std::optional<std::int64_t>> OutboxTransaction::oldest_row(Lane lane) {
  auto statement = TRY(sqlite_.prepare("SELECT row FROM segment WHERE lane = ? ORDER BY row"));
  statement.bind(1, number_of(lane));
  while (TRY(statement.step())) {
    if (!outbox_.handed_out_->holds(lane, statement.integer(0))) return std::optional{statement.integer(0)};
  }
  return std::optional<std::int64_t>{};
}

Result<std::vector<std::byte>> OutboxTransaction::body_of(std::int64_t row) {
  if (outbox_.failures_->is_given_up(row)) return std::vector<std::byte>{};
  auto statement = TRY(sqlite_.prepare("SELECT bytes FROM body WHERE row = ?"));
  statement.bind(1, row);
  const auto stepped = statement.step();
  if (!stepped && !outbox_.failures_->note(row, stepped.error())) return stepped.error();
  if (stepped) outbox_.failures_->note_read();
  if (!stepped || !*stepped) return std::vector<std::byte>{};
  const auto blob = statement.blob(0);
  return std::vector<std::byte>{blob.begin(), blob.end()};
}

/// A body is deleted only if it is whole, else left behind: of a cell or a chain of pages that is damaged SQLite would free what
/// belongs to others. What fails here ends the transaction (a savepoint was tried, and SQLite goes on with the damage in mind); the
/// next attempt does without that body, once it has been given up.
Result<void> OutboxTransaction::remove_body(std::int64_t row) {
  if (!decode_segment_header(TRY(body_of(row)))) return {};
  auto body = TRY(sqlite_.prepare("DELETE FROM body WHERE row = ?"));
  body.bind(1, row);
  auto removed = body.run();
  if (!removed) static_cast<void>(outbox_.failures_->note(row, removed.error()));
  return removed;
}

Result<void> OutboxTransaction::remove(Lane lane, std::int64_t row, const Meta& meta) {
  auto segment = TRY(sqlite_.prepare("DELETE FROM segment WHERE lane = ? AND row = ?"));
  segment.bind(1, number_of(lane));
  segment.bind(2, row);
  TRY(segment.run());
  TRY(remove_body(row));
  if (meta.gaps > 0) {
    auto told = TRY(sqlite_.prepare("DELETE FROM told WHERE row = ?"));
    told.bind(1, row);
    TRY(told.run());
  }
  if (meta.is_merged) {
    auto merged = TRY(sqlite_.prepare("DELETE FROM merged WHERE row = ?"));
    merged.bind(1, row);
    TRY(merged.run());
  }
  LaneCount& count = waiting_[index(lane)];
  count.segments -= std::min<std::uint64_t>(count.segments, 1);
  count.readings -= std::min(count.readings, meta.readings);
  count.bytes -= std::min(count.bytes, OutboxDatabase::weight_of(meta.bytes));
  return {};
}

Result<void> OutboxTransaction::acknowledge(Lane lane, std::int64_t row) {
  const auto meta = TRY(meta_of(lane, row));
  if (!meta && row <= outbox_.held_back_to_) {  // it may come back yet; then it must not be sent again
    auto known = TRY(sqlite_.prepare("INSERT INTO salvage(rows_to) VALUES(?)"));
    known.bind(1, row);
    return known.run();
  }
  if (!meta) return {};  // dropped meanwhile, and counted as that
  TRY(remove(lane, row, *meta));
  ++outcome_.acknowledged_segments;
  outcome_.acknowledged_readings += meta->readings;
  if (meta->epoch == outbox_.epoch_) outcome_.newest_acknowledged = std::max(outcome_.newest_acknowledged, meta->seq);
  return {};
}

Result<void> OutboxTransaction::drop(Lane lane, std::int64_t row, Gap::Cause cause) {
  const auto meta = TRY(meta_of(lane, row));
  if (!meta) return {};
  TRY(record({.cause = cause, .lane = lane, .readings = meta->readings, .epoch = meta->epoch, .first_seq = meta->first_seq,
              .last_seq = meta->seq, .boot = meta->boot, .first = meta->first, .last = meta->last}));
  if (meta->gaps > 0) {
    // A report of gaps that goes unreported itself: what it said is said again.
    auto told = TRY(gaps_in("told WHERE row = ?", row));
    if (told.empty()) {  // of an agent that kept it in the body only
      const auto bytes = TRY(body_of(row));
      if (auto content = decode_segment_content(bytes)) told = std::move(content->gaps);
    }
    for (const Gap& gap : told) TRY(record(gap));
  }
  outcome_.dropped[index(lane)] += meta->readings;
  return remove(lane, row, *meta);
}

bool OutboxTransaction::is_old(const Meta& meta) const {
  const nanoseconds age_max = outbox_.options_.age_max;
  if (age_max <= nanoseconds{0}) return false;
  if (meta.boot == moment_.boot) return moment_.now - meta.last > age_max;
  // Only where both ends are known for sure: a guess is no reason to throw readings away.
  const auto then = outbox_.boots_->utc_of(meta.boot, meta.last);
  const auto now = outbox_.boots_->utc_of(moment_.boot, moment_.now);
  return then && now && then->trusted && now->trusted && now->time - then->time > age_max;
}

Result<void> OutboxTransaction::drop_old() {
  for (const Lane lane : kDropOrder) {
    while (const auto row = TRY(oldest_row(lane))) {
      const auto meta = TRY(meta_of(lane, *row));
      if (!meta || !is_old(*meta)) break;
      TRY(drop(lane, *row, Gap::Cause::age));
    }
  }
  return {};
}

Result<std::size_t> OutboxTransaction::gap_count() {
  auto statement = TRY(sqlite_.prepare("SELECT count(*) FROM gap"));
  if (!TRY(statement.step())) return std::size_t{0};
  return static_cast<std::size_t>(statement.integer(0));
}

Result<void> OutboxTransaction::record(const Gap& given) {
  Gap gap = given;
  auto known = TRY(sqlite_.prepare("SELECT readings, first_seq, last_seq, first_ns, last_ns FROM gap"
                                   " WHERE cause = ? AND lane = ? AND epoch = ? AND boot = ?"));
  const auto bind_key = [&gap](SqliteStatement& statement) {
    statement.bind(1, std::int64_t{static_cast<std::uint8_t>(gap.cause)});
    statement.bind(2, number_of(gap.lane));
    statement.bind(3, std::bit_cast<std::int64_t>(gap.epoch));
    statement.bind(4, std::string_view{gap.boot});
  };
  bind_key(known);
  bool found = TRY(known.step());
  if (!found && TRY(gap_count()) >= OutboxDatabase::kGapsMax) {
    gap.epoch = 0;
    gap.first_seq = 0;
    gap.last_seq = 0;
    gap.boot.clear();
    gap.first = BootTime{};
    gap.last = BootTime{};
    bind_key(known);
    found = TRY(known.step());
  }
  if (found) {
    const auto first_seq = static_cast<std::uint64_t>(known.integer(1));
    gap.readings += static_cast<std::uint64_t>(known.integer(0));
    if (first_seq != 0) {
      gap.first_seq = gap.first_seq == 0 ? first_seq : std::min(gap.first_seq, first_seq);
      gap.last_seq = std::max(gap.last_seq, static_cast<std::uint64_t>(known.integer(2)));
    }
    if (!gap.boot.empty()) {
      gap.first = std::min(gap.first, BootTime{nanoseconds{known.integer(3)}});
      gap.last = std::max(gap.last, BootTime{nanoseconds{known.integer(4)}});
    }
    known.reset();
  }
  auto store = TRY(sqlite_.prepare("INSERT OR REPLACE INTO gap(cause, lane, epoch, boot, readings, first_seq, last_seq, first_ns, last_ns)"
                                   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  bind_key(store);
  store.bind(5, static_cast<std::int64_t>(gap.readings));
  store.bind(6, static_cast<std::int64_t>(gap.first_seq));
  store.bind(7, static_cast<std::int64_t>(gap.last_seq));
  store.bind(8, std::int64_t{gap.first.time_since_epoch().count()});
  store.bind(9, std::int64_t{gap.last.time_since_epoch().count()});
  return store.run();
}

Result<std::int64_t> OutboxTransaction::free_pages() {
  const std::int64_t count = TRY(outbox_.number("page_count"));
  const std::int64_t free = TRY(outbox_.number("freelist_count"));
  return outbox_.pages_max() - count + free;
}

bool OutboxTransaction::is_over_share(Lane lane, const Incoming& incoming) const {
  return waiting_[index(lane)].bytes + incoming[index(lane)] > outbox_.share_bytes(lane);
}

/// One run of bulk, else of live. `incoming`: only in a lane that has more than its share; nullptr: in any.
Result<bool> OutboxTransaction::thin_one(const Incoming* incoming) {
  if (outbox_.options_.thin_window <= nanoseconds{0}) return false;
  for (const Lane lane : {Lane::bulk, Lane::live}) {
    if (incoming != nullptr && !is_over_share(lane, *incoming)) continue;
    if (TRY(OutboxRewrite{*this}.thin(lane))) return true;
  }
  return false;
}

Result<void> OutboxTransaction::insert(const std::vector<EncodedSegment>& segments, std::int64_t slack_pages) {
  std::int64_t needed = slack_pages;
  Incoming incoming{};
  for (const EncodedSegment& segment : segments) {
    needed += pages_for(segment.bytes.size());
    incoming[index(segment.header.lane)] += OutboxDatabase::weight_of(static_cast<std::int64_t>(segment.bytes.size()));
  }
  std::vector<bool> refused(segments.size(), false);

  // Nothing old is left in this lane: its new ones go before anything of a better lane does.
  const auto refuse_one = [&](Lane lane) -> Result<bool> {
    std::size_t i = 0;
    while (i < segments.size() && (refused[i] || segments[i].header.lane != lane)) ++i;
    if (i == segments.size()) return false;
    refused[i] = true;
    const SegmentHeader& header = segments[i].header;
    needed -= pages_for(segments[i].bytes.size());
    incoming[index(lane)] -= OutboxDatabase::weight_of(static_cast<std::int64_t>(segments[i].bytes.size()));
    TRY(record({.cause = Gap::Cause::quota, .lane = lane, .readings = header.readings(), .epoch = header.epoch,
                .first_seq = header.seq, .last_seq = header.seq, .boot = header.boot, .first = header.first, .last = header.last}));
    outcome_.dropped[index(lane)] += header.readings();
    outcome_.newest_seq = header.seq;
    return true;
  };
  const auto drop_one = [&](bool any_lane) -> Result<bool> {
    for (const Lane lane : kDropOrder) {
      if (!any_lane && !is_over_share(lane, incoming)) continue;
      if (const auto row = TRY(oldest_row(lane))) {
        TRY(drop(lane, *row, Gap::Cause::quota));
        return true;
      }
      if (TRY(refuse_one(lane))) return true;
    }
    return false;
  };

  // First those that have more than their share. Pages are not bytes: all may be inside it, and the file full.
  while (TRY(free_pages()) < needed) {
    if (TRY(thin_one(&incoming)) || TRY(drop_one(false))) continue;
    if (!TRY(thin_one(nullptr)) && !TRY(drop_one(true))) break;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!refused[i]) TRY(insert_one(segments[i]));
  }
  if (!segments.empty()) outcome_.newest_seq = segments.back().header.seq;
  return {};
}

Result<void> OutboxTransaction::insert_one(const EncodedSegment& segment) {
  auto inserted = insert_at(++newest_row_, segment);
  if (!inserted && inserted.error().kind() == ErrorKind::OutOfRange) {
    // A body that was left behind has that number.
    auto newest = TRY(sqlite_.prepare("SELECT max(row) FROM body"));
    if (TRY(newest.step())) newest_row_ = std::max(newest_row_, newest.integer(0));
    newest.reset();
    inserted = insert_at(++newest_row_, segment);
  }
  TRY(inserted);
  outcome_.newest_seq = segment.header.seq;
  outcome_.durable.push_back(segment.header);
  return {};
}

Result<void> OutboxTransaction::insert_at(std::int64_t row, const EncodedSegment& segment) {
  const SegmentHeader& header = segment.header;
  auto body = TRY(sqlite_.prepare("INSERT INTO body(row, bytes) VALUES(?, ?)"));
  body.bind(1, row);
  body.bind(2, std::span<const std::byte>{segment.bytes});
  TRY(body.run());
  auto meta = TRY(sqlite_.prepare("INSERT INTO segment(lane, row, epoch, seq, readings, gaps, bytes, boot, first_ns, last_ns)"
                                  " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  meta.bind(1, number_of(header.lane));
  meta.bind(2, row);
  meta.bind(3, std::bit_cast<std::int64_t>(header.epoch));
  meta.bind(4, static_cast<std::int64_t>(header.seq));
  meta.bind(5, std::int64_t{header.readings()});
  meta.bind(6, std::int64_t{header.gaps});
  meta.bind(7, static_cast<std::int64_t>(segment.bytes.size()));
  meta.bind(8, std::span<const std::byte>{segment.bytes}.subspan(kSegmentBootAt, kSegmentBootBytes));
  meta.bind(9, std::int64_t{header.first.time_since_epoch().count()});
  meta.bind(10, std::int64_t{header.last.time_since_epoch().count()});
  TRY(meta.run());
  LaneCount& count = waiting_[index(header.lane)];
  ++count.segments;
  count.readings += header.readings();
  count.bytes += OutboxDatabase::weight_of(static_cast<std::int64_t>(segment.bytes.size()));
  outcome_.body_bytes += segment.bytes.size();
  return {};
}

Result<void> OutboxTransaction::note_merged(std::int64_t row, const SegmentHeader& header) {
  auto merged = TRY(sqlite_.prepare("INSERT INTO merged(row, first_seq, thinned) VALUES(?, ?, ?)"));
  merged.bind(1, row);
  merged.bind(2, static_cast<std::int64_t>(header.first_seq));
  merged.bind(3, std::int64_t{header.is_thinned ? 1 : 0});
  return merged.run();
}

Result<std::vector<Gap>> OutboxTransaction::gaps_in(const char* table_where, std::int64_t row) {
  std::vector<Gap> gaps;
  auto statement = TRY(sqlite_.prepare(std::string{"SELECT cause, lane, epoch, boot, readings, first_seq, last_seq, first_ns, last_ns FROM "} + table_where));
  statement.bind(1, row);
  while (TRY(statement.step())) {
    const std::int64_t cause = statement.integer(0);
    const std::int64_t lane = statement.integer(1);
    if (cause < 0 || cause > std::int64_t{static_cast<std::uint8_t>(Gap::Cause::thinned)} || lane < 0 || lane >= std::int64_t{kLanes.size()}) {
      return Error{ErrorKind::Malformed, "a gap of the outbox makes no sense"};
    }
    gaps.push_back({.cause = static_cast<Gap::Cause>(cause), .lane = static_cast<Lane>(lane),
                    .readings = static_cast<std::uint64_t>(statement.integer(4)),
                    .epoch = std::bit_cast<Epoch>(statement.integer(2)),
                    .first_seq = static_cast<std::uint64_t>(statement.integer(5)),
                    .last_seq = static_cast<std::uint64_t>(statement.integer(6)), .boot = BootId{statement.text(3)},
                    .first = BootTime{nanoseconds{statement.integer(7)}}, .last = BootTime{nanoseconds{statement.integer(8)}}});
  }
  return gaps;
}

Result<void> OutboxTransaction::report_gaps(const SegmentBuilder& builder, SegmentBuilder::Identity identity) {
  const std::vector<Gap> gaps = TRY(gaps_in("gap WHERE ? = 0", 0));
  if (gaps.empty()) return {};
  // While a report waits, losses are added up: an outage of weeks makes one more report, not thousands.
  auto waiting = TRY(sqlite_.prepare("SELECT 1 FROM segment WHERE lane = ? AND gaps > 0 LIMIT 1"));
  waiting.bind(1, number_of(Lane::event));
  if (TRY(waiting.step())) return {};
  const EncodedSegment report = TRY(builder.build(gaps, identity, moment_.now));
  TRY(insert_one(report));
  auto told = TRY(sqlite_.prepare("INSERT INTO told SELECT ?, cause, lane, epoch, boot, readings, first_seq, last_seq, first_ns, last_ns FROM gap"));
  told.bind(1, newest_row_);
  TRY(told.run());
  return sqlite_.execute("DELETE FROM gap");
}

Result<void> OutboxTransaction::finish() {
  if (outcome_.newest_seq > OutboxDatabase::kSeqMax) return Error{ErrorKind::OutOfRange, "the epoch has no more numbers"};
  if (outcome_.newest_seq == outbox_.newest_seq_) return {};
  return sqlite_.execute(("PRAGMA user_version = " + std::to_string(outcome_.newest_seq)).c_str());
}

OutboxOutcome OutboxTransaction::settle() {
  outbox_.waiting_ = waiting_;
  outbox_.newest_row_ = newest_row_;
  outbox_.merged_to_ = merged_to_;
  outbox_.thinned_to_ = thinned_to_;
  for (const SegmentHeader& header : outcome_.durable) ++outbox_.unmerged_[index(header.lane)];
  outbox_.newest_seq_ = outcome_.newest_seq;
  return std::move(outcome_);
}

}  // namespace fieldpost
