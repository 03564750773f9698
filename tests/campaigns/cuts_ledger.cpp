// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/cuts_ledger.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

namespace fieldpost {
namespace {

/// Samples are a millisecond apart, so that a time names its sample.
constexpr BootTime kFirst{seconds{1'000}};

std::uint64_t mixed(std::uint64_t number) {
  number = (number + 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
  return number ^ (number >> 31U);
}

Sample sample_of(std::uint64_t number, bool is_noise) {
  Sample sample;
  sample.series = static_cast<SeriesId>(number % CutsLedger::kSeries);
  sample.time = kFirst + milliseconds{static_cast<std::int64_t>(number)};
  sample.quality = number % 11 == 0 ? Quality::suspect : Quality::good;
  if (is_noise) {
    // Any bit pattern: NaN with a payload, minus zero, denormals.
    sample.value = number % 3 == 0 ? Value{std::bit_cast<double>(mixed(number))} : Value{static_cast<std::int64_t>(mixed(number))};
  } else {
    sample.value = number % 5 == 0 ? Value{static_cast<double>(number) / 100} : Value{number};
  }
  return sample;
}

bool same(const Sample& a, const Sample& b) {
  if (a.time != b.time || a.quality != b.quality || a.value.is_integer() != b.value.is_integer()) return false;
  return a.value.is_integer() ? a.value.integer() == b.value.integer()
                              : std::bit_cast<std::uint64_t>(a.value.real()) == std::bit_cast<std::uint64_t>(b.value.real());
}

std::string name_of(Epoch epoch, std::uint64_t seq) { return "seq " + std::to_string(seq) + " of epoch " + to_text(epoch); }

}  // namespace

void CutsLedger::violation(const std::string& what) {
  if (!failed()) figures_.violations.push_back(context_ + ": " + what);
}

Sample CutsLedger::make_sample(Lane lane, bool is_noise) {
  known_.push_back({.lane = lane, .is_noise = is_noise});
  return sample_of(known_.size() - 1, is_noise);
}

CutsLedger::Found::Segment CutsLedger::read(const OutboxRow& row) {
  // Its own CRC was checked when it was fetched. The same name and CRC is the same content, which most disks
  // that one cut leaves have in common.
  std::uint32_t crc = 0;
  constexpr std::size_t kCrcAt = 8;
  for (std::size_t i = 0; i < sizeof crc; ++i) crc |= std::to_integer<std::uint32_t>(row.bytes[kCrcAt + i]) << (8 * i);
  Found::Segment& known = read_[{Name{row.header.epoch, row.header.seq}, crc}];
  if (known.row == 0) known = decode(row, crc);
  known.row = row.row;
  return known;
}

CutsLedger::Found::Segment CutsLedger::decode(const OutboxRow& row, std::uint32_t crc) {
  Found::Segment segment;
  segment.row = row.row;
  segment.header = row.header;
  segment.crc = crc;
  const auto content = decode_segment_content(row.bytes);
  if (!content) {
    violation(name_of(row.header.epoch, row.header.seq) + " cannot be decoded: " + content.error().sentence());
    return segment;
  }
  segment.gaps = content->gaps;
  for (const Sample& sample : content->samples) {
    const auto number = static_cast<std::uint64_t>((sample.time - kFirst) / milliseconds{1});
    const bool is_known = sample.time >= kFirst && number < known_.size();
    const bool is_right = is_known && same(sample, sample_of(number, known_[number].is_noise)) &&
                          content->series[index(sample.series)].name == series_name(number % kSeries) &&
                          known_[number].lane == row.header.lane;
    if (!is_right) {
      violation(name_of(row.header.epoch, row.header.seq) + " bears a sample that was not made so");
      continue;
    }
    segment.samples.push_back(number);
  }
  return segment;
}

void CutsLedger::begin(std::vector<std::uint64_t> samples, std::vector<Found::Segment> acknowledged) {
  in_flight_ = std::move(samples);
  for (const std::uint64_t number : in_flight_) known_[number].where = Where::in_flight;
  in_flight_acknowledged_ = std::move(acknowledged);
}

void CutsLedger::promise_early() {
  for (const std::uint64_t number : in_flight_) known_[number].where = Where::durable;
  figures_.samples += in_flight_.size();
  in_flight_.clear();
}

/// A number names one content for ever; and the next number has never been used.
void CutsLedger::check_names(const Found& found) {
  std::set<Name> here;
  for (const auto& segment : found.segments) {
    const Name name{segment.header.epoch, segment.header.seq};
    if (!here.insert(name).second) violation(name_of(name.first, name.second) + " stands there twice");
    const auto known = named_.find(name);
    if (known == named_.end() || known->second == segment.crc) continue;
    ++figures_.reused;
    if (!counts_reuse_) violation(name_of(name.first, name.second) + " has another content than before: its number was reused");
  }
  const auto newest = newest_named_.find(found.epoch);
  if (newest == newest_named_.end() || found.newest_seq >= newest->second) return;
  ++figures_.reused;
  if (!counts_reuse_) {
    violation("numbers of epoch " + to_text(found.epoch) + " go on from " + std::to_string(found.newest_seq) + ", but " +
              std::to_string(newest->second) + " was used");
  }
}

bool CutsLedger::in_told_range(const Known& known, const Found& found) const {
  const auto tells = [&known](const Gap& gap) {
    if (gap.lane != known.lane) return false;
    // What waited of earlier epochs is in the count, its numbers are not.
    if (gap.epoch != known.epoch) return gap.cause == Gap::Cause::damage && gap.readings > 0;
    return gap.first_seq <= known.seq && known.seq <= gap.last_seq;
  };
  if (std::any_of(told_.begin(), told_.end(), tells) || std::any_of(found.untold.begin(), found.untold.end(), tells)) return true;
  return std::any_of(found.segments.begin(), found.segments.end(),
                     [&tells](const auto& segment) { return std::any_of(segment.gaps.begin(), segment.gaps.end(), tells); });
}

void CutsLedger::settle(const Found& found) {
  ++figures_.commits;
  reckon(found, true, true);
}

void CutsLedger::settle_cut(const Found& found, bool goes_on) {
  ++figures_.cuts;
  reckon(found, false, goes_on);
}

/// `is_done`: the commit came back, so what it was to do has happened.
void CutsLedger::reckon(const Found& found, bool is_done, bool goes_on) {
  check_names(found);
  std::unordered_map<std::uint64_t, const Found::Segment*> present;
  for (const auto& segment : found.segments) {
    for (const std::uint64_t number : segment.samples) {
      if (!present.emplace(number, &segment).second) violation("sample " + std::to_string(number) + " stands there twice");
    }
  }

  // Did what was under way happen? All of it, or nothing.
  std::set<std::uint64_t> leaving;
  std::size_t left = 0;
  for (const auto& segment : in_flight_acknowledged_) {
    leaving.insert(segment.samples.begin(), segment.samples.end());
    const bool is_there = std::any_of(found.segments.begin(), found.segments.end(),
                                      [&segment](const auto& one) { return one.row == segment.row && one.crc == segment.crc; });
    left += is_there ? 0U : 1U;
  }
  const auto arrived = static_cast<std::size_t>(
      std::count_if(in_flight_.begin(), in_flight_.end(), [&present](std::uint64_t number) { return present.contains(number); }));
  bool happened = is_done || arrived > 0 || left > 0;
  if (happened && left < in_flight_acknowledged_.size() && is_strict_) violation("a commit is there in part: acknowledged segments are left");

  Counts missing{};
  Counts missing_in_flight{};
  for (std::uint64_t number = 0; number < known_.size(); ++number) {
    Known& known = known_[number];
    const auto at = present.find(number);
    const bool is_there = at != present.end();
    const bool is_right = is_there && (known.epoch == 0 || (at->second->header.epoch == known.epoch && at->second->header.seq == known.seq));
    if (is_there && !is_right && !counts_reuse_) violation("sample " + std::to_string(number) + " came back under another number");
    switch (known.where) {
      case Where::durable:
        if (is_there || leaving.contains(number)) break;
        ++missing[index(known.lane)];
        if (is_strict_ || !goes_on) break;
        if (in_told_range(known, found)) {
          ++figures_.lost_told;
          break;
        }
        ++figures_.lost;
        if (known.epoch == told_epoch_ && known.epoch != 0) violation("sample " + std::to_string(number) + " of lane " + std::string{to_string(known.lane)} + ", " + name_of(known.epoch, known.seq) + ", is lost and no gap tells of it");
        break;
      case Where::in_flight:
        if (!is_there) ++missing_in_flight[index(known.lane)];
        break;
      case Where::dropped: ++missing[index(known.lane)]; [[fallthrough]];
      case Where::acknowledged:
      case Where::gone:
        if (is_there && is_strict_) violation("sample " + std::to_string(number) + " came back");
        break;
      case Where::memory:
        if (is_there) violation("sample " + std::to_string(number) + " is there and was never given to the store");
        break;
    }
  }
  if (is_strict_) happened = check_counts(found, happened, is_done, missing, missing_in_flight);
  if (goes_on) move(found, present, leaving, happened);
}

/// Gaps must tell exactly what is missing, lane by lane. Where nothing else tells whether the work under way
/// happened (all of it was dropped at once), the gaps do. Returns whether it did.
bool CutsLedger::check_counts(const Found& found, bool happened, bool is_done, const Counts& missing, const Counts& missing_in_flight) {
  Counts told{};
  const auto add = [&](const std::vector<Gap>& gaps) {
    for (const Gap& gap : gaps) {
      told[index(gap.lane)] += gap.readings;
      if (gap.cause == Gap::Cause::damage) violation("a gap tells of damage, and there was none");
    }
  };
  add(told_);
  add(found.untold);
  for (const auto& segment : found.segments) add(segment.gaps);
  if (happened) {
    for (const auto& segment : in_flight_acknowledged_) add(segment.gaps);
  }
  Counts with = missing;
  for (std::size_t i = 0; i < with.size(); ++i) with[i] += missing_in_flight[i];
  if (happened && told == with) return true;
  if (!happened && told == missing) return false;
  if (!happened && !is_done && told == with) return true;
  for (const Lane lane : kLanes) {
    const std::uint64_t expected = happened ? with[index(lane)] : missing[index(lane)];
    if (told[index(lane)] == expected) continue;
    violation("lane " + std::string{to_string(lane)} + ": " + std::to_string(expected) + " samples are missing, gaps tell of " +
              std::to_string(told[index(lane)]));
  }
  return happened;
}

void CutsLedger::move(const Found& found, const std::unordered_map<std::uint64_t, const Found::Segment*>& present,
                      const std::set<std::uint64_t>& leaving, bool happened) {
  for (std::uint64_t number = 0; number < known_.size(); ++number) {
    Known& known = known_[number];
    const auto at = present.find(number);
    if (at != present.end()) {
      if (known.where == Where::in_flight) ++figures_.samples;
      known.where = Where::durable;
      known.epoch = at->second->header.epoch;
      known.seq = at->second->header.seq;
      continue;
    }
    if (known.where == Where::in_flight) {
      known.where = happened && is_strict_ ? Where::dropped : Where::gone;
      if (known.where == Where::dropped) ++figures_.dropped;
    } else if (known.where == Where::durable) {
      known.where = Where::dropped;
      if (leaving.contains(number)) {
        known.where = Where::acknowledged;
        ++figures_.acknowledged;
      } else if (is_strict_) {
        ++figures_.dropped;
      } else {
        known.where = Where::gone;
      }
    }
  }
  if (happened) {
    for (const auto& segment : in_flight_acknowledged_) told_.insert(told_.end(), segment.gaps.begin(), segment.gaps.end());
  }
  for (const auto& segment : found.segments) {
    named_[{segment.header.epoch, segment.header.seq}] = segment.crc;
    std::uint64_t& newest = newest_named_[segment.header.epoch];
    newest = std::max(newest, segment.header.seq);
  }
  in_flight_.clear();
  in_flight_acknowledged_.clear();
}

}  // namespace fieldpost
