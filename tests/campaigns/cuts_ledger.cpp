// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/cuts_ledger.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
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
  if (!failed()) options_.told.violation(figures_.violations.emplace_back(context_ + ": " + what));
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
  segment.summaries = content->summaries;
  for (Summary& summary : segment.summaries) {
    const std::string& name = content->series[index(summary.series)].name;
    std::size_t number = 0;
    while (number < kSeries && series_name(number) != name) ++number;
    summary.series = static_cast<SeriesId>(number);
  }
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

void CutsLedger::hand_out(const Found::Segment& segment) {
  ++figures_.handed_out;
  named_[{segment.header.epoch, segment.header.seq}] = {segment.crc, segment.header.lane};
  for (const std::uint64_t number : segment.samples) known_[number].is_handed_out = true;
}

void CutsLedger::check_held(const Found& found, const std::vector<Found::Segment>& held) {
  if (!is_strict_) return;
  for (const auto& segment : held) {
    const bool is_there = std::any_of(found.segments.begin(), found.segments.end(),
                                      [&segment](const auto& one) { return one.row == segment.row && one.crc == segment.crc; });
    if (!is_there) violation(name_of(segment.header.epoch, segment.header.seq) + " is on its way to the broker, and is not there any more");
  }
}

/// A number names one content for ever, once it has left the device; and the next number has never been used.
void CutsLedger::check_names(const Found& found) {
  std::set<Name> here;
  for (const auto& segment : found.segments) {
    const Name name{segment.header.epoch, segment.header.seq};
    if (!here.insert(name).second) violation(name_of(name.first, name.second) + " stands there twice");
    const auto known = named_.find(name);
    // Of a database that was put back: the consumer has it as a part of what it was merged into, under the same number.
    const bool is_part = !is_strict_ && std::all_of(segment.samples.begin(), segment.samples.end(), [&](std::uint64_t number) {
      return known_[number].is_handed_out && is_under_its_number(known_[number], segment.header);
    });
    if (known != named_.end() && known->second.crc != segment.crc && !is_part) {
      ++figures_.reused;
      if (!counts_reuse_) violation(name_of(name.first, name.second) + " has another content than before: its number was reused");
    }
    if (!is_strict_) continue;
    for (auto other = named_.lower_bound({name.first, segment.header.first_seq}); other != named_.end() && other->first < name; ++other) {
      if (other->second.lane == segment.header.lane) violation(name_of(other->first.first, other->first.second) + " was handed out, and merged");
    }
  }
  const auto newest = newest_named_.find(found.epoch);
  if (newest == newest_named_.end() || found.newest_seq >= newest->second) return;
  ++figures_.reused;
  if (!counts_reuse_) {
    violation("numbers of epoch " + to_text(found.epoch) + " go on from " + std::to_string(found.newest_seq) + ", but " +
              std::to_string(newest->second) + " was used");
  }
}

/// In a lane numbers ascend, and no number is in two segments.
void CutsLedger::check_order(const Found& found) {
  const Found::Segment* before = nullptr;
  for (const auto& segment : found.segments) {
    const bool goes_on = before != nullptr && before->header.lane == segment.header.lane && before->header.epoch == segment.header.epoch;
    if (segment.header.first_seq > segment.header.seq || (goes_on && before->header.seq >= segment.header.first_seq)) {
      violation(name_of(segment.header.epoch, segment.header.seq) + " is out of order in its lane");
    }
    before = &segment;
  }
}

/// What never left the device may come to stand under another number. What did stays under its own; or, of a disk that was put
/// back, within a range of numbers by which a consumer knows it.
bool CutsLedger::is_under_its_number(const Known& known, const SegmentHeader& header) const {
  if (!known.is_handed_out) return true;
  if (known.epoch != header.epoch) return false;
  if (is_strict_) return known.seq == header.seq && known.first_seq == header.first_seq;
  return header.first_seq <= known.seq && known.first_seq <= header.seq;
}

void CutsLedger::check_summaries(const Found& found, const std::unordered_map<std::uint64_t, const Found::Segment*>& present) {
  for (const auto& segment : found.segments) {
    if (segment.header.is_thinned == segment.summaries.empty() && segment.samples.empty() && segment.gaps.empty()) {
      violation(name_of(segment.header.epoch, segment.header.seq) + " does not say rightly whether it was thinned");
    }
    for (const Summary& summary : segment.summaries) check_summary(summary, segment.header.lane, present);
  }
}

/// Against the samples of its window that are not there as such. It may be one of two of its window, or some of them may have been
/// dropped; if it is of all of them it must be right to the last bit.
void CutsLedger::check_summary(const Summary& summary, Lane lane, const std::unordered_map<std::uint64_t, const Found::Segment*>& present) {
  std::vector<Sample> samples;
  const auto first = static_cast<std::uint64_t>(std::max<std::int64_t>((summary.start - kFirst) / milliseconds{1}, 0));
  const auto last = static_cast<std::uint64_t>(std::max<std::int64_t>((summary.end - kFirst) / milliseconds{1}, 0));
  for (std::uint64_t number = first; number < std::min<std::uint64_t>(last, known_.size()); ++number) {
    if (number % kSeries != index(summary.series) || known_[number].lane != lane || known_[number].where == Where::memory) continue;
    const Sample sample = sample_of(number, known_[number].is_noise);
    if (sample.time < summary.start || present.contains(number)) continue;
    if (sample.value.is_integer() || std::isfinite(sample.value.real())) samples.push_back(sample);
  }
  const auto by_value = [](const Sample& a, const Sample& b) {
    return a.value.is_integer() && b.value.is_integer() ? a.value.integer() < b.value.integer() : a.value.real() < b.value.real();
  };
  if (summary.count == 0 || summary.count > samples.size()) {
    violation("a summary counts " + std::to_string(summary.count) + " samples of " + std::to_string(samples.size()));
    return;
  }
  const auto bits = [](const Value& value) { return value.is_integer() ? static_cast<std::uint64_t>(value.integer()) : std::bit_cast<std::uint64_t>(value.real()); };
  const auto [min, max] = std::minmax_element(samples.begin(), samples.end(), by_value);
  const bool is_inside = summary.min.real() >= min->value.real() && summary.max.real() <= max->value.real();
  const bool is_exact = bits(summary.min) == bits(min->value) && summary.max.real() == max->value.real() && bits(summary.last) == bits(samples.back().value);
  if (!is_inside || (summary.count == samples.size() && !is_exact)) violation("a summary does not say what its samples said");
}

bool CutsLedger::in_told_range(const Known& known, const Found& found) const {
  const auto tells = [&known](const Gap& gap) {
    if (gap.lane != known.lane) return false;
    // What waited of earlier epochs is in the count, its numbers are not.
    if (gap.epoch != known.epoch) return gap.cause == Gap::Cause::damage && gap.readings > 0;
    return gap.first_seq <= known.seq && known.first_seq <= gap.last_seq;
  };
  if (std::any_of(told_.begin(), told_.end(), tells) || std::any_of(found.untold.begin(), found.untold.end(), tells)) return true;
  return std::any_of(found.segments.begin(), found.segments.end(),
                     [&tells](const auto& segment) { return std::any_of(segment.gaps.begin(), segment.gaps.end(), tells); });
}

void CutsLedger::settle(const Found& found) {
  ++figures_.commits;
  reckon(found, true, true);
}

void CutsLedger::settle_merge(const Found& found) {
  in_flight_.clear();
  in_flight_acknowledged_.clear();
  reckon(found, true, true);
}

void CutsLedger::settle_cut(const Found& found, bool goes_on) {
  ++figures_.cuts;
  reckon(found, false, goes_on);
}

/// `is_done`: the commit came back, so what it was to do has happened.
void CutsLedger::reckon(const Found& found, bool is_done, bool goes_on) {
  check_names(found);
  check_order(found);
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
  bool happened = is_done || arrived > 0 || left > 0 || (found.epoch == newest_.first && found.newest_seq > newest_.second);
  if (happened && left < in_flight_acknowledged_.size() && is_strict_) violation("a commit is there in part: acknowledged segments are left");

  Counts missing{};
  Counts missing_in_flight{};
  for (std::uint64_t number = 0; number < known_.size(); ++number) {
    Known& known = known_[number];
    const auto at = present.find(number);
    const bool is_there = at != present.end();
    if (is_there && !counts_reuse_ && !is_under_its_number(known, at->second->header)) violation("sample " + std::to_string(number) + " came back under another number");
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
  check_summaries(found, present);
  if (is_strict_) happened = check_counts(found, happened, is_done, missing, missing_in_flight);
  if (goes_on) move(found, present, leaving, happened);
}

/// Gaps must tell exactly what is missing, lane by lane. Where nothing else tells whether the work under way
/// happened (all of it was dropped at once), the gaps do. Returns whether it did.
bool CutsLedger::check_counts(const Found& found, bool happened, bool is_done, const Counts& missing, const Counts& missing_in_flight) {
  Counts thinned{};      // samples, as the gaps tell
  Counts told{};         // lost, as they tell: samples, and summaries made of samples
  Counts in_summaries = summed_up_;  // samples, as the summaries say that are there or were acknowledged
  const auto add = [&](const Found::Segment& segment) {
    for (const Summary& summary : segment.summaries) in_summaries[index(segment.header.lane)] += summary.count;
  };
  const auto add_gaps = [&](const std::vector<Gap>& gaps) {
    for (const Gap& gap : gaps) {
      (gap.cause == Gap::Cause::thinned ? thinned : told)[index(gap.lane)] += gap.readings;
      if (gap.cause == Gap::Cause::damage) violation("a gap tells of damage, and there was none");
    }
  };
  add_gaps(told_);
  add_gaps(found.untold);
  for (const auto& segment : found.segments) {
    add_gaps(segment.gaps);
    add(segment);
  }
  if (happened) {
    for (const auto& segment : in_flight_acknowledged_) {
      add_gaps(segment.gaps);
      add(segment);
    }
  }
  // Samples that are missing were thinned or lost. Of the summaries made, those that are not there were lost, too, each
  // counted as one; where all are there the counts must be equal.
  const auto agrees_in = [&](std::size_t i, const Counts& gone) {
    if (thinned[i] > gone[i] || in_summaries[i] > thinned[i] || told[i] < gone[i] - thinned[i]) return false;
    const std::uint64_t lost_summaries = told[i] - (gone[i] - thinned[i]);
    const std::uint64_t in_them = thinned[i] - in_summaries[i];
    return lost_summaries <= in_them && (lost_summaries > 0 || in_them == 0);
  };
  const auto agrees = [&](const Counts& gone) {
    return agrees_in(0, gone) && agrees_in(1, gone) && agrees_in(2, gone) && agrees_in(3, gone);
  };
  Counts with = missing;
  for (std::size_t i = 0; i < with.size(); ++i) with[i] += missing_in_flight[i];
  if (happened && agrees(with)) return true;
  if (!happened && agrees(missing)) return false;
  if (!happened && !is_done && agrees(with)) return true;
  const auto number = [](std::uint64_t count) { return std::to_string(count); };
  for (const Lane lane : kLanes) {
    const std::size_t i = index(lane);
    if (agrees_in(i, happened ? with : missing)) continue;
    violation("lane " + std::string{to_string(lane)} + ": " + number(happened ? with[i] : missing[i]) + " samples are missing, gaps tell of " +
              number(told[i]) + " and of " + number(thinned[i]) + " thinned, of which summaries bear " + number(in_summaries[i]));
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
      known.first_seq = at->second->header.first_seq;
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
    for (const auto& segment : in_flight_acknowledged_) {
      told_.insert(told_.end(), segment.gaps.begin(), segment.gaps.end());
      for (const Summary& summary : segment.summaries) summed_up_[index(segment.header.lane)] += summary.count;
    }
  }
  for (const auto& segment : found.segments) {
    std::uint64_t& newest = newest_named_[segment.header.epoch];
    newest = std::max(newest, segment.header.seq);
  }
  newest_ = {found.epoch, found.newest_seq};
  in_flight_.clear();
  in_flight_acknowledged_.clear();
}

}  // namespace fieldpost
