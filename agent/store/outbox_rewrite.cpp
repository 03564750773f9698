// SPDX-License-Identifier: Apache-2.0
// A run ends where epoch or boot change, at a report of gaps, at what cannot be decoded (which is fetch()'s business), and at what
// has been thinned already.
#include "agent/store/outbox_rewrite.hpp"

#include <algorithm>
#include <utility>

namespace fieldpost {
namespace {

static_assert(OutboxDatabase::kThinRowsMax <= kSegmentPartsMax, "no more come of a run than it had");

/// Runs that thinning would make hardly smaller (summaries, seldom readings) which one transaction looks at before it drops.
constexpr int kThinAttemptsMax = 4;

std::int64_t bytes_in(const std::vector<EncodedSegment>& segments) {
  std::int64_t bytes = 0;
  for (const EncodedSegment& segment : segments) bytes += static_cast<std::int64_t>(segment.bytes.size());
  return bytes;
}

std::uint64_t readings_in(const std::vector<EncodedSegment>& segments) {
  std::uint64_t readings = 0;
  for (const EncodedSegment& segment : segments) readings += segment.header.readings();
  return readings;
}

}  // namespace

/// The oldest beyond `done` that never left the device, and those behind them up to the next that did; that may be acknowledged and
/// gone by now, but a consumer has its number.
Result<std::vector<OutboxTransaction::Row>> OutboxRewrite::rows_after(Lane lane, std::int64_t done, std::size_t count) {
  const HandedOut& handed_out = *work_.outbox_.handed_out_;
  while (true) {
    auto rows = TRY(work_.rows_of(lane, done, count));
    std::int64_t before = rows.empty() ? 0 : rows[0].row - 1;
    const auto left = std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return handed_out.any_left(lane, std::exchange(before, row.row), row.row); });
    is_bounded_ = left != rows.end();
    if (is_bounded_ && left == rows.begin()) {
      done = *handed_out.left_until(lane, rows[0].row);
      continue;
    }
    rows.erase(left, rows.end());
    return rows;
  }
}

std::int64_t OutboxRewrite::bytes_taken() const {
  std::int64_t bytes = 0;
  for (const Row& row : taken_) bytes += row.meta.bytes;
  return bytes;
}

std::uint64_t OutboxRewrite::readings_taken() const {
  std::uint64_t readings = 0;
  for (const Row& row : taken_) readings += row.meta.readings;
  return readings;
}

/// Takes rows from the front as long as they go together.
Result<void> OutboxRewrite::gather(Lane lane, const std::vector<Row>& rows, SegmentRun& run) {
  taken_.clear();
  for (const Row& row : rows) {
    const auto& meta = row.meta;
    if (meta.gaps > 0 || meta.is_thinned || meta.epoch != rows[0].meta.epoch || meta.boot != rows[0].meta.boot) return {};
    const auto bytes = TRY(work_.body_of(row.row));
    const auto header = decode_segment_header(bytes);
    const bool is_it = header && header->lane == lane && header->epoch == meta.epoch && header->seq == meta.seq &&
                       header->first_seq == meta.first_seq && header->readings() == meta.readings;
    if (!is_it || !run.add(bytes).value_or(false)) return {};
    taken_.push_back(row);
  }
  return {};
}

/// The newest rows and numbers of those that go are those of what comes, so that nothing of the lane changes its place; and each
/// number that goes lies between first_seq and seq of one of them.
Result<void> OutboxRewrite::replace(Lane lane, std::vector<EncodedSegment>& fresh) {
  for (const Row& row : taken_) {
    TRY(work_.remove(lane, row.row, row.meta));
    // Its place is needed. The next attempt ends its run before it.
    if (work_.outbox_.failures_->is_given_up(row.row)) return Error{ErrorKind::Io, "a body cannot be removed"};
  }
  const std::size_t before = taken_.size() - fresh.size();
  SegmentHeader::Part part;
  if (fresh.size() > 1) {
    part = {.first_seq = taken_.front().meta.first_seq, .last_seq = taken_.back().meta.seq, .of = static_cast<std::uint8_t>(fresh.size())};
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const Row& place = taken_[before + i];
    part.number = static_cast<std::uint8_t>(i + 1);
    renumber_segment(fresh[i].bytes, fresh[i].header, taken_[i == 0 ? 0 : before + i].meta.first_seq, place.meta.seq, part);
    TRY(work_.insert_at(place.row, fresh[i]));
    TRY(work_.note_merged(place.row, fresh[i].header));
  }
  return {};
}

Result<OutboxRewrite::Step> OutboxRewrite::merge(Lane lane) {
  is_cut_ = false;
  const auto rows = TRY(rows_after(lane, work_.merged_to_[index(lane)], OutboxDatabase::kMergeRowsMax));
  if (rows.empty()) return Step::wait;
  return merge(lane, rows);
}

Result<OutboxRewrite::Step> OutboxRewrite::merge(Lane lane, const std::vector<Row>& rows) {
  std::int64_t& merged_to = work_.merged_to_[index(lane)];
  SegmentRun run{work_.outbox_.options_.message_bytes_max, std::nullopt};
  TRY(gather(lane, rows, run));
  const bool is_all = taken_.size() == rows.size() && rows.size() < OutboxDatabase::kMergeRowsMax && !is_bounded_;
  if (is_all && !run.is_full() && !is_cut_) return Step::wait;
  merged_to = taken_.empty() ? rows[0].row : taken_.back().row;
  if (taken_.size() < 2) return Step::skipped;
  Gap oversize;
  const auto& first = taken_[0].meta;
  auto fresh = run.build(lane, first.epoch, first.boot, oversize);
  // Two of them would share the readings of all numbers, and each bear only some of the numbers.
  if (fresh.size() > 1) {
    is_cut_ = true;
    return merge(lane, {taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(taken_.size() / 2)});
  }
  if (fresh.empty() || oversize.readings > 0 || bytes_in(fresh) >= bytes_taken() ||
      readings_in(fresh) != readings_taken()) {
    return Step::skipped;
  }
  TRY(replace(lane, fresh));
  work_.outcome_.merged_segments += taken_.size();
  return Step::done;
}

Result<bool> OutboxRewrite::thin(Lane lane) {
  std::int64_t& thinned_to = work_.thinned_to_[index(lane)];
  for (int attempt = 0; attempt < kThinAttemptsMax;) {
    auto rows = TRY(rows_after(lane, thinned_to, OutboxDatabase::kThinRowsMax));
    if (rows.empty()) return false;
    if (rows[0].meta.is_thinned) {  // by a process before this one
      const auto other = std::find_if(rows.begin(), rows.end(), [](const Row& row) { return !row.meta.is_thinned; });
      thinned_to = std::prev(other)->row;
      continue;
    }
    ++attempt;
    SegmentRun run{work_.outbox_.options_.message_bytes_max, work_.outbox_.options_.thin_window};
    TRY(gather(lane, rows, run));
    thinned_to = taken_.empty() ? rows[0].row : taken_.back().row;
    if (taken_.empty()) continue;
    Gap oversize;
    const auto& first = taken_.front().meta;
    const auto& last = taken_.back().meta;
    auto fresh = run.build(lane, first.epoch, first.boot, oversize);
    const bool is_smaller = bytes_in(fresh) < bytes_taken() / 4 * 3;
    if (fresh.empty() || fresh.size() > taken_.size() || oversize.readings > 0 || run.thinned() == 0 || !is_smaller) continue;
    TRY(work_.record({.cause = Gap::Cause::thinned, .lane = lane, .readings = run.thinned(), .epoch = first.epoch,
                      .first_seq = first.first_seq, .last_seq = last.seq, .boot = first.boot, .first = first.first, .last = last.last}));
    TRY(replace(lane, fresh));
    work_.outcome_.thinned_readings += run.thinned();
    return true;
  }
  return false;
}

}  // namespace fieldpost
