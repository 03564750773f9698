// SPDX-License-Identifier: Apache-2.0
// Offsets are kept as the newest trusted observation says: a synchronised clock that was stepped has
// corrected itself, and what was not sent yet is corrected with it. The boot-time clock never steps, so
// one offset serves a whole boot, whatever the wall clock went through.
#include "agent/store/boot_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fieldpost {
namespace {

/// Rows come from a file. Beyond these bounds sums would overflow, and nothing could be true.
bool is_possible(const BootRow& row) {
  constexpr nanoseconds kMost = std::chrono::days{365 * 140};
  constexpr nanoseconds kLongestBoot = std::chrono::days{365 * 50};
  const auto is_boot_time = [kLongestBoot](BootTime time) {
    return time.time_since_epoch() >= nanoseconds{0} && time.time_since_epoch() <= kLongestBoot;
  };
  return row.offset >= -kLongestBoot && row.offset <= kMost && row.error_bound >= nanoseconds{0} &&
         row.error_bound <= kLongestBoot && is_boot_time(row.seen) && is_boot_time(row.sure_from) && is_boot_time(row.sure_until);
}

bool is_sure(const BootRow& row) { return row.source != BootRow::Source::none; }

UtcTime utc_at(const BootRow& row, BootTime time) { return UtcTime{row.offset + time.time_since_epoch()}; }

/// How wrong utc_at() of a sure row may be.
nanoseconds error_at(const BootRow& row, BootTime time) {
  const nanoseconds alone = std::max({row.sure_from - time, time - row.sure_until, nanoseconds{0}});
  return row.error_bound + BootTable::kStepMin + alone / BootTable::kDriftOneIn;
}

}  // namespace

void BootTable::load(std::span<const BootRow> rows) {
  std::vector<BootRow> observed = std::move(rows_);
  rows_.clear();
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(rows_), is_possible);
  for (BootRow& row : observed) {
    const auto known = std::find_if(rows_.begin(), rows_.end(), [&row](const BootRow& r) { return r.boot == row.boot; });
    if (known == rows_.end()) {
      rows_.push_back(std::move(row));
    } else if (row.source < known->source) {
      ran_free_ = true;
    } else if (is_sure(*known) && std::chrono::abs(row.offset - known->offset) <= kStepMin && row.error_bound <= known->error_bound) {
      known->sure_until = std::max(known->sure_until, row.sure_until);  // the agent began anew, the clock did not
    } else {
      *known = std::move(row);
    }
  }
  while (rows_.size() > kBootsMax) forget_oldest();
}

void BootTable::forget_oldest() {
  const auto newest_sure = std::find_if(rows_.rbegin(), rows_.rend(), is_sure);
  const bool is_first = newest_sure != rows_.rend() && std::next(newest_sure) == rows_.rend();
  rows_.erase(rows_.begin() + (is_first ? 1 : 0));
}

bool BootTable::observe(const BootId& boot, BootTime now, const UtcReading& utc) {
  const auto source = utc.synchronised ? BootRow::Source::kernel : BootRow::Source::none;
  const nanoseconds offset = utc.time.time_since_epoch() - now.time_since_epoch();
  if (rows_.empty() || rows_.back().boot != boot) {
    if (rows_.size() == kBootsMax) forget_oldest();
    rows_.push_back({.boot = boot, .offset = offset, .error_bound = utc.error_bound, .source = source, .seen = now,
                     .sure_from = now, .sure_until = now});
    ran_free_ = false;
    return true;
  }
  BootRow& row = rows_.back();
  bool worth = now - row.seen >= kSeenStep;
  if (worth) row.seen = now;
  if (source < row.source) {  // it was synchronised once: that was better
    ran_free_ = true;
    return worth;
  }

  const nanoseconds moved = std::chrono::abs(offset - row.offset);
  const bool stepped = moved > kStepMin && moved > std::min(utc.error_bound, row.error_bound);
  const bool surer = utc.error_bound * 2 < row.error_bound;
  // Alone it may have drifted, by less than what the new observation leaves open.
  const bool is_back = std::exchange(ran_free_, false) && (moved > kStepMin || utc.error_bound > row.error_bound);
  // A step says that the clock was wrong before, whatever it claimed: it is sure from now on only.
  const bool is_new = stepped || is_back || source > row.source;
  if (is_new) row.sure_from = now;
  row.sure_until = now;
  if (!is_new && !surer) return worth;
  row.offset = offset;
  row.error_bound = utc.error_bound;
  row.source = source;
  row.seen = now;
  return true;
}

std::optional<BootTable::Utc> BootTable::utc_of(const BootId& boot, BootTime time) const {
  // From the newest: most questions are about this boot.
  const auto found = std::find_if(rows_.rbegin(), rows_.rend(), [&boot](const BootRow& row) { return row.boot == boot; });
  if (found == rows_.rend()) return std::nullopt;
  if (is_sure(*found)) return Utc{utc_at(*found, time), error_at(*found, time), true};
  return between_neighbours(static_cast<std::size_t>(std::distance(found, rows_.rend())) - 1, time);
}

std::optional<nanoseconds> BootTable::floor() const {
  if (rows_.empty()) return std::nullopt;
  const BootRow& row = rows_.back();
  if (is_sure(row)) return row.offset - error_at(row, row.sure_until);
  const auto earliest = earliest_begin(rows_.size() - 1);
  if (!earliest) return std::nullopt;
  return earliest->time_since_epoch();
}

/// The boot began after the last sure one before it was last seen, and those in between.
std::optional<UtcTime> BootTable::earliest_begin(std::size_t place) const {
  nanoseconds elapsed{};
  for (std::size_t before = place; before-- > 0;) {
    const BootRow& row = rows_[before];
    if (is_sure(row)) return utc_at(row, row.seen) - error_at(row, row.seen) + elapsed;
    elapsed += row.seen.time_since_epoch() - row.seen.time_since_epoch() / kDriftOneIn;
  }
  return std::nullopt;
}

/// An unsynchronised boot began after the one before it was last seen, and was over when the next one
/// began. Where its own clock says something possible it is believed; the error is the bracket's.
BootTable::Utc BootTable::between_neighbours(std::size_t place, BootTime time) const {
  const BootRow& row = rows_[place];
  const UtcTime said = utc_at(row, time);
  auto earliest = earliest_begin(place);
  if (earliest) *earliest = std::max(lowest_, *earliest + time.time_since_epoch() - time.time_since_epoch() / kDriftOneIn);
  std::optional<UtcTime> latest;
  nanoseconds elapsed = std::max(row.seen, time) - time;  // of this boot and those after it, as far as they were seen
  for (std::size_t after = place + 1; after < rows_.size() && !latest; ++after) {
    const BootRow& next = rows_[after];
    if (is_sure(next)) {
      latest = utc_at(next, BootTime{}) + error_at(next, BootTime{}) - (elapsed - elapsed / kDriftOneIn);
    } else {
      elapsed += next.seen.time_since_epoch();
    }
  }
  if (!earliest || !latest || *latest < *earliest) {
    const UtcTime least = earliest.value_or(lowest_);
    // Nothing is known to be later: but what is told must hold for any instant up to so long after the least.
    const bool is_possible = said >= least && (least == UtcTime{} || said - least <= kUnknownError);
    return {is_possible ? said : least, kUnknownError, false};
  }
  const UtcTime believed = said >= *earliest && said <= *latest ? said : *earliest + (*latest - *earliest) / 2;
  return {believed, std::max(*latest - believed, believed - *earliest), false};
}

}  // namespace fieldpost
