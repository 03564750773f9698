// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/damage_ledger.hpp"

#include <algorithm>
#include <bit>

namespace fieldpost {
namespace {

/// Samples are a millisecond apart, so that a time names its sample.
constexpr BootTime kFirst{seconds{1'000}};

std::uint64_t mixed(std::uint64_t number) {
  number = (number + 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
  return number ^ (number >> 31U);
}

Sample sample_of(std::uint64_t number) {
  Sample sample;
  sample.series = static_cast<SeriesId>(number % DamageLedger::kSeries);
  sample.time = kFirst + milliseconds{static_cast<std::int64_t>(number)};
  sample.quality = number % 11 == 0 ? Quality::suspect : Quality::good;
  switch (number % 5) {
    case 0:
      sample.value = static_cast<double>(number) / 100;
      break;
    case 1:
      sample.value = std::bit_cast<double>(mixed(number));
      break;  // any bits: NaN with a payload, denormals
    case 2:
      sample.value = static_cast<std::int64_t>(mixed(number));
      break;
    default:
      sample.value = number;
      break;
  }
  return sample;
}

bool same(const Sample& a, const Sample& b) {
  if (a.time != b.time || a.quality != b.quality || a.value.is_integer() != b.value.is_integer())
    return false;
  return a.value.is_integer()
             ? a.value.integer() == b.value.integer()
             : std::bit_cast<std::uint64_t>(a.value.real()) == std::bit_cast<std::uint64_t>(b.value.real());
}

std::string text_of(const SegmentHeader& header) {
  return "seq " + std::to_string(header.seq) + " of epoch " + to_text(header.epoch);
}

}  // namespace

void DamageLedger::add_series(SeriesTable& table) {
  for (std::size_t i = 0; i < kSeries; ++i) {
    Series series;
    series.name = series_name(i);
    series.labels = {{"device", "eth0"}};
    series.kind = SeriesKind::counter;
    static_cast<void>(table.add(std::move(series)));
  }
}

Sample DamageLedger::make_sample(Lane lane) {
  known_.push_back({.lane = lane, .name = {}});
  return sample_of(known_.size() - 1);
}

void DamageLedger::hand_out(const OutboxRow& row) {
  const auto [at, is_new] = segments_.try_emplace({row.header.epoch, row.header.seq});
  Segment& segment = at->second;
  if (is_new) {
    segment.bytes = row.bytes;
    decode(row, segment);
  } else if (segment.bytes != row.bytes) {
    return violation(text_of(row.header) + " has another content than before");
  }
  if (segment.is_delivered && !segment.is_out) ++returned_;
  segment.is_out = true;
  for (const std::uint64_t number : segment.samples) known_[number].is_out = true;
}

void DamageLedger::decode(const OutboxRow& row, Segment& segment) {
  const auto content = decode_segment_content(row.bytes);
  if (!content) return violation(text_of(row.header) + " cannot be decoded: " + content.error().sentence());
  segment.gaps = content->gaps;
  const Name name{row.header.epoch, row.header.seq};
  for (const Sample& sample : content->samples) {
    const auto number = static_cast<std::uint64_t>((sample.time - kFirst) / milliseconds{1});
    const bool is_known = sample.time >= kFirst && number < known_.size();
    if (!is_known || !same(sample, sample_of(number)) || known_[number].lane != row.header.lane ||
        content->series[index(sample.series)].name != series_name(number % kSeries)) {
      violation(text_of(row.header) + " bears a sample that was not made so");
      continue;
    }
    Known& known = known_[number];
    if (known.name != Name{} && known.name != name)
      violation("sample " + std::to_string(number) + " is sent under two numbers");
    known.name = name;
    segment.samples.push_back(number);
  }
}

void DamageLedger::deliver(const SegmentHeader& header) {
  const auto found = segments_.find({header.epoch, header.seq});
  if (found == segments_.end()) return;
  found->second.is_delivered = true;
  for (const std::uint64_t number : found->second.samples) known_[number].is_delivered = true;
}

void DamageLedger::give_up(const SegmentHeader& header) {
  const auto found = segments_.find({header.epoch, header.seq});
  if (found == segments_.end()) return;
  found->second.is_given_up = true;
  for (const std::uint64_t number : found->second.samples) known_[number].is_given_up = true;
}

void DamageLedger::excuse_unpromised() {
  for (std::size_t i = promised_; i < known_.size(); ++i) known_[i].is_excused = true;
  promised_ = known_.size();
}

void DamageLedger::forget_handed_out() {
  for (auto& [name, segment] : segments_) segment.is_out = false;
  for (Known& known : known_) known.is_out = false;
}

DamageLedger::Balance DamageLedger::balance(bool hears_gaps) const {
  Balance balance{.returned = returned_};
  std::vector<const Gap*> gaps;
  Counts lost{};
  Counts told{};
  Counts told_unnamed{};
  for (const auto& [name, segment] : segments_) {
    if (!hears_gaps || !(segment.is_out || segment.is_delivered)) continue;
    for (const Gap& gap : segment.gaps) {
      gaps.push_back(&gap);
      told[index(gap.lane)] += gap.readings;
    }
  }
  Counts lost_unnamed{};
  Counts given_up_unnamed{};
  std::set<const Gap*> naming;
  for (const Known& known : known_) {
    if (known.is_out || known.is_delivered || known.is_excused) continue;
    ++lost[index(known.lane)];
    balance.lost += known.is_given_up ? 0U : 1U;
    const auto names_it = std::find_if(gaps.begin(), gaps.end(), [&known](const Gap* gap) {
      return gap->lane == known.lane && gap->epoch == known.name.first &&
             gap->first_seq <= known.name.second && known.name.second <= gap->last_seq;
    });
    if (names_it == gaps.end()) {
      ++(known.is_given_up ? given_up_unnamed : lost_unnamed)[index(known.lane)];
    } else {
      naming.insert(*names_it);
    }
  }
  // What a gap tells beyond the numbers that it names is of earlier epochs, whose numbers nobody knows.
  for (const Gap* gap : gaps) {
    std::uint64_t named = 0;
    if (naming.contains(gap)) {
      named =
          static_cast<std::uint64_t>(std::count_if(known_.begin(), known_.end(), [gap](const Known& known) {
            return !known.is_out && !known.is_delivered && !known.is_excused && gap->lane == known.lane &&
                   gap->epoch == known.name.first && gap->first_seq <= known.name.second &&
                   known.name.second <= gap->last_seq;
          }));
    }
    told_unnamed[index(gap->lane)] += gap->readings - std::min(gap->readings, named);
  }
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    const std::uint64_t counted = std::min(lost_unnamed[i], told_unnamed[i]);
    balance.unnamed += counted;
    balance.untold += lost_unnamed[i] - counted;
    balance.reports_lost += given_up_unnamed[i] - std::min(given_up_unnamed[i], told_unnamed[i] - counted);
    balance.miscounted += std::max(lost[i], told[i]) - std::min(lost[i], told[i]);
  }
  return balance;
}

std::vector<std::pair<DamageLedger::Name, std::vector<std::byte>>> DamageLedger::waiting() const {
  std::vector<std::pair<Name, std::vector<std::byte>>> waiting;
  for (const auto& [name, segment] : segments_) {
    if (!segment.is_delivered && !segment.is_given_up) waiting.emplace_back(name, segment.bytes);
  }
  return waiting;
}

bool DamageLedger::is_settled(const Name& name) const {
  const auto found = segments_.find(name);
  return found != segments_.end() && (found->second.is_out || found->second.is_delivered);
}

std::vector<std::pair<std::size_t, std::size_t>> DamageLedger::places_in(
    std::span<const std::byte> content) const {
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (const auto& [name, segment] : segments_) {
    const auto at = std::search(content.begin(), content.end(), segment.bytes.begin(), segment.bytes.end());
    if (at != content.end()) places.emplace_back(at - content.begin(), segment.bytes.size());
  }
  return places;
}

}  // namespace fieldpost
