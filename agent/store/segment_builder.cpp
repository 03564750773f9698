// SPDX-License-Identifier: Apache-2.0
// A slice of the batch is gathered, measured, and cut if its message would be too long.
#include "agent/store/segment_builder.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/store/message_size.hpp"
#include "agent/store/segment_body.hpp"
#include "agent/store/series_dictionary.hpp"

namespace fieldpost {
namespace {

/// Bounds the memory that one slice takes while it is built; nothing else depends on it.
constexpr std::size_t kSliceSamplesMax = 32'768;
/// Parts are cut a little smaller than they need be, for they do not come out equal.
constexpr double kPartsSpare = 1.05;

constexpr std::uint32_t kNotMet = std::numeric_limits<std::uint32_t>::max();

/// Readings of a slice with the series they need, numbered from 0 in the order of the table: drivers add
/// series that belong together one after the other, which makes front coding short.
class Gathered {
 public:
  Gathered(const SeriesTable& table, std::span<const Sample> samples, std::span<const Summary> summaries,
           std::span<const Event> events)
      : events_{events} {
    number_series(table, samples, summaries);
    order_samples(samples);
    summaries_.assign(summaries.begin(), summaries.end());
    for (Summary& summary : summaries_) summary.series = static_cast<SeriesId>(numbers_[index(summary.series)]);
    // A series' summaries stand together, by time: a reader goes through them once.
    std::stable_sort(summaries_.begin(), summaries_.end(),
                     [](const Summary& a, const Summary& b) { return a.series < b.series; });
  }

  SegmentView view() const {
    return {.series = series_, .samples = samples_, .summaries = summaries_, .events = events_, .gaps = {}};
  }

  SegmentHeader header() const {
    SegmentHeader header;
    header.samples = static_cast<std::uint32_t>(samples_.size());
    header.summaries = static_cast<std::uint32_t>(summaries_.size());
    header.events = static_cast<std::uint32_t>(events_.size());
    BootTime first = BootTime::max();
    BootTime last = BootTime::min();
    const auto widen = [&first, &last](BootTime from, BootTime to) {
      first = std::min(first, from);
      last = std::max(last, to);
    };
    for (const Sample& sample : samples_) widen(sample.time, sample.time);
    for (const Summary& summary : summaries_) widen(summary.start, summary.end);
    for (const Event& event : events_) widen(event.time, event.time);
    header.first = first;
    header.last = last;
    return header;
  }

 private:
  void number_series(const SeriesTable& table, std::span<const Sample> samples, std::span<const Summary> summaries) {
    numbers_.assign(table.size(), kNotMet);
    for (const Sample& sample : samples) numbers_[index(sample.series)] = 0;
    for (const Summary& summary : summaries) numbers_[index(summary.series)] = 0;
    for (std::uint32_t id = 0; id < numbers_.size(); ++id) {
      if (numbers_[id] == kNotMet) continue;
      numbers_[id] = static_cast<std::uint32_t>(series_.size());
      series_.push_back(&table[static_cast<SeriesId>(id)]);
    }
  }

  /// By series, in a counting sort that keeps the order of arrival; by time within a series.
  void order_samples(std::span<const Sample> samples) {
    std::vector<std::size_t> places(series_.size() + 1, 0);
    for (const Sample& sample : samples) ++places[numbers_[index(sample.series)] + 1];
    for (std::size_t i = 1; i < places.size(); ++i) places[i] += places[i - 1];
    samples_.resize(samples.size());
    bool ordered = true;
    for (const Sample& sample : samples) {
      const std::uint32_t number = numbers_[index(sample.series)];
      Sample& placed = samples_[places[number]++];
      placed = sample;
      placed.series = static_cast<SeriesId>(number);
      const bool has_previous = &placed != samples_.data();
      ordered = ordered && (!has_previous || (&placed)[-1].series != placed.series || (&placed)[-1].time <= placed.time);
    }
    if (ordered) return;
    std::stable_sort(samples_.begin(), samples_.end(), [](const Sample& a, const Sample& b) {
      return a.series != b.series ? a.series < b.series : a.time < b.time;
    });
  }

  std::vector<std::uint32_t> numbers_;  ///< by id in the table
  std::vector<const Series*> series_;
  std::vector<Sample> samples_;
  std::vector<Summary> summaries_;
  std::span<const Event> events_;
};

}  // namespace

struct SegmentBuilder::Slice {
  std::vector<Sample> samples;
  std::vector<Summary> summaries;
  std::vector<Event> events;

  std::size_t readings() const { return samples.size() + summaries.size() + events.size(); }

  /// The older half of each kind, and the rest; of one of each at most, the first alone and the rest.
  std::vector<Slice> halves() const {
    std::vector<Slice> made(2);
    if (samples.size() <= 1 && summaries.size() <= 1 && events.size() <= 1) {
      made[1] = *this;
      if (!samples.empty()) {
        std::swap(made[0].samples, made[1].samples);
      } else {
        std::swap(made[0].summaries, made[1].summaries);
      }
      return made;
    }
    const auto halve = [](const auto& all, auto& older, auto& newer) {
      const auto middle = all.begin() + static_cast<std::ptrdiff_t>((all.size() + 1) / 2);
      older.assign(all.begin(), middle);
      newer.assign(middle, all.end());
    };
    halve(samples, made[0].samples, made[1].samples);
    halve(summaries, made[0].summaries, made[1].summaries);
    halve(events, made[0].events, made[1].events);
    return made;
  }
};

std::vector<EncodedSegment> SegmentBuilder::build(Lane lane, const Batch& batch, Identity& identity, Gap& oversize) const {
  std::vector<EncodedSegment> segments;
  std::span<const Sample> samples{batch.samples()};
  bool is_first = true;
  while (is_first || !samples.empty()) {
    const auto now = samples.first(std::min(samples.size(), kSliceSamplesMax));
    samples = samples.subspan(now.size());
    Slice slice;
    slice.samples.assign(now.begin(), now.end());
    // Summaries and events are few; they go with the first samples.
    if (is_first) {
      slice.summaries = batch.summaries();
      slice.events = batch.events();
    }
    is_first = false;
    if (slice.readings() > 0) build_slice(lane, slice, identity, oversize, segments);
  }
  return segments;
}

void SegmentBuilder::build_slice(Lane lane, const Slice& slice, Identity& identity, Gap& oversize,
                                 std::vector<EncodedSegment>& segments) const {
  const Gathered gathered{table_, slice.samples, slice.summaries, slice.events};
  SegmentHeader header = gathered.header();
  const std::size_t bound = message_bytes_bound(header.first, gathered.view());
  if (bound <= message_bytes_max_) {
    header.epoch = identity.epoch;
    header.seq = identity.seq + 1;
    header.lane = lane;
    header.boot = identity.boot;
    header.first_seq = identity.first_seq;
    header.is_thinned = identity.is_thinned;
    if (auto bytes = encode_segment(header, gathered.view())) {
      ++identity.seq;
      segments.push_back({header, std::move(*bytes)});
      return;
    }
  }
  if (slice.readings() == 1) return extend(oversize, 1, header.first, header.last);
  const auto parts = static_cast<std::size_t>(kPartsSpare * static_cast<double>(bound) / static_cast<double>(message_bytes_max_)) + 1;
  for (const Slice& part : cut(slice, parts)) {
    if (part.readings() > 0) build_slice(lane, part, identity, oversize, segments);
  }
}

/// Series one after the other, as many to a part as fill it. What that does not cut is halved by time.
std::vector<SegmentBuilder::Slice> SegmentBuilder::cut(const Slice& slice, std::size_t parts) const {
  std::vector<std::uint64_t> bytes(table_.size(), 0);
  const auto charge = [this, &bytes](SeriesId id, std::size_t amount) {
    std::uint64_t& total = bytes[index(id)];
    if (total == 0) total = message_bytes_bound(table_[id]);
    total += amount;
  };
  for (const Sample& sample : slice.samples) charge(sample.series, message_bytes_bound(sample.value) + 1);
  for (const Summary& summary : slice.summaries) charge(summary.series, message_bytes_bound(summary));
  std::uint64_t total = 0;
  for (const std::uint64_t amount : bytes) total += amount;

  std::vector<std::uint32_t> part_of(bytes.size(), 0);
  std::uint64_t before = 0;
  for (std::size_t id = 0; id < bytes.size(); ++id) {
    // 64 bits: megabytes times hundreds of parts pass 32.
    part_of[id] = static_cast<std::uint32_t>(std::min<std::uint64_t>(before * parts / std::max<std::uint64_t>(total, 1), parts - 1));
    before += bytes[id];
  }
  std::vector<Slice> made(parts);
  for (const Sample& sample : slice.samples) made[part_of[index(sample.series)]].samples.push_back(sample);
  for (const Summary& summary : slice.summaries) made[part_of[index(summary.series)]].summaries.push_back(summary);
  made.front().events = slice.events;
  const bool any_is_all = std::any_of(made.begin(), made.end(), [&slice](const Slice& part) {
    return part.readings() == slice.readings();
  });
  return any_is_all || parts == 1 ? slice.halves() : made;
}

Result<EncodedSegment> SegmentBuilder::build(std::span<const Gap> gaps, Identity& identity, BootTime now) const {
  SegmentHeader header;
  header.epoch = identity.epoch;
  header.seq = identity.seq + 1;
  header.lane = Lane::event;
  header.boot = identity.boot;
  header.first = now;
  header.last = now;
  header.gaps = static_cast<std::uint32_t>(gaps.size());
  auto bytes = TRY(encode_segment(header, SegmentView{.series = {}, .samples = {}, .summaries = {}, .events = {}, .gaps = gaps}));
  ++identity.seq;
  return EncodedSegment{header, std::move(bytes)};
}

}  // namespace fieldpost
