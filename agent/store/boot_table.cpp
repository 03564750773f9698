// SPDX-License-Identifier: Apache-2.0
// Offsets are kept as the newest trusted observation says: a synchronised clock that was stepped has
// corrected itself, and what was not sent yet is corrected with it.
#include "agent/store/boot_table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fieldpost {
namespace {

/// Said of a boot of which nothing is known but an unsynchronised clock.
constexpr nanoseconds kUnknownError = std::chrono::days{3650};

/// Rows come from a file. Beyond these bounds sums would overflow, and nothing could be true.
bool is_possible(const BootRow& row) {
  constexpr nanoseconds kMost = std::chrono::days{365 * 140};
  constexpr nanoseconds kLongestBoot = std::chrono::days{365 * 50};
  return row.offset >= -kLongestBoot && row.offset <= kMost && row.error_bound >= nanoseconds{0} &&
         row.error_bound <= kLongestBoot && row.seen.time_since_epoch() >= nanoseconds{0} &&
         row.seen.time_since_epoch() <= kLongestBoot;
}

UtcTime utc_at(const BootRow& row, BootTime time) { return UtcTime{row.offset + time.time_since_epoch()}; }

}  // namespace

void BootTable::load(std::span<const BootRow> rows) {
  std::vector<BootRow> observed = std::move(rows_);
  rows_.clear();
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(rows_), is_possible);
  for (BootRow& row : observed) {
    const auto known = std::find_if(rows_.begin(), rows_.end(), [&row](const BootRow& r) { return r.boot == row.boot; });
    if (known == rows_.end()) {
      rows_.push_back(std::move(row));
    } else if (row.source >= known->source) {
      *known = std::move(row);
    }
  }
  if (rows_.size() > kBootsMax) rows_.erase(rows_.begin(), rows_.end() - kBootsMax);
}

bool BootTable::observe(const BootId& boot, BootTime now, const UtcReading& utc) {
  if (rows_.empty() || rows_.back().boot != boot) {
    if (rows_.size() == kBootsMax) rows_.erase(rows_.begin());
    rows_.push_back({.boot = boot, .offset = utc.time.time_since_epoch() - now.time_since_epoch(),
                     .error_bound = utc.error_bound,
                     .source = utc.synchronised ? BootRow::Source::kernel : BootRow::Source::none,
                     .seen = now});
    return true;
  }
  BootRow& row = rows_.back();
  const auto source = utc.synchronised ? BootRow::Source::kernel : BootRow::Source::none;
  bool worth = now - row.seen >= kSeenStep;
  if (worth) row.seen = now;
  if (source < row.source) return worth;  // it was synchronised once: that was better

  const nanoseconds offset = utc.time.time_since_epoch() - now.time_since_epoch();
  const nanoseconds moved = offset > row.offset ? offset - row.offset : row.offset - offset;
  const bool stepped = moved > kStepMin && moved > std::min(utc.error_bound, row.error_bound);
  const bool surer = source > row.source || utc.error_bound * 2 < row.error_bound;
  if (!stepped && !surer) return worth;
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
  if (found->source == BootRow::Source::none) {
    return between_neighbours(static_cast<std::size_t>(std::distance(found, rows_.rend())) - 1, time);
  }
  return Utc{utc_at(*found, time), found->error_bound, true};
}

/// An unsynchronised boot began after the one before it was last seen, and was over when the next one
/// began. Where its own clock says something possible it is believed; the error is the bracket's.
std::optional<BootTable::Utc> BootTable::between_neighbours(std::size_t place, BootTime time) const {
  const BootRow& row = rows_[place];
  const UtcTime said = utc_at(row, time);
  std::optional<UtcTime> earliest;
  std::optional<UtcTime> latest;
  nanoseconds elapsed{};  // of the boots between, as far as it was seen
  for (std::size_t before = place; before-- > 0 && !earliest;) {
    if (rows_[before].source != BootRow::Source::none) {
      earliest = utc_at(rows_[before], rows_[before].seen) + elapsed + time.time_since_epoch();
    } else {
      elapsed += rows_[before].seen.time_since_epoch();
    }
  }
  elapsed = std::max(row.seen, time) - time;
  for (std::size_t after = place + 1; after < rows_.size() && !latest; ++after) {
    if (rows_[after].source != BootRow::Source::none) {
      latest = utc_at(rows_[after], BootTime{}) - elapsed;
    } else {
      elapsed += rows_[after].seen.time_since_epoch();
    }
  }
  if (!earliest || !latest || *latest < *earliest) {
    const UtcTime floor = earliest.value_or(said);
    return Utc{std::max(said, floor), kUnknownError, false};
  }
  const UtcTime believed = said >= *earliest && said <= *latest ? said : *earliest + (*latest - *earliest) / 2;
  return Utc{believed, std::max(*latest - believed, believed - *earliest), false};
}

}  // namespace fieldpost
