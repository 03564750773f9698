// SPDX-License-Identifier: Apache-2.0
// A slice of the batch is gathered, measured, and halved if its message would be too long.
#include "agent/store/segment_builder.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/store/message_size.hpp"
#include "agent/store/segment_body.hpp"
#include "agent/store/series_dictionary.hpp"

namespace fieldpost {
namespace {

/// A first cut by a usual sample's share of a message; what is still too long is halved.
constexpr std::size_t kSampleBytesUsual = 8;

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
  std::span<const Sample> samples;
  std::span<const Summary> summaries;
  std::span<const Event> events;

  std::size_t readings() const { return samples.size() + summaries.size() + events.size(); }

  /// The older half of each kind, and the rest; of a single reading, itself and nothing.
  std::pair<Slice, Slice> halves() const {
    const auto half = [](std::size_t size) { return (size + 1) / 2; };
    Slice older{samples.first(half(samples.size())), summaries.first(half(summaries.size())), events.first(half(events.size()))};
    Slice newer{samples.subspan(older.samples.size()), summaries.subspan(older.summaries.size()),
                events.subspan(older.events.size())};
    if (newer.readings() > 0) return {older, newer};
    // One of each at most: each goes alone.
    if (!samples.empty()) return {{samples, {}, {}}, {{}, summaries, events}};
    return {{{}, summaries, {}}, {{}, {}, events}};
  }
};

std::vector<EncodedSegment> SegmentBuilder::build(Lane lane, const Batch& batch, Identity& identity, Gap& oversize) const {
  std::vector<EncodedSegment> segments;
  const std::size_t samples_max = std::clamp<std::size_t>(message_bytes_max_ / kSampleBytesUsual, 1, kSegmentSamplesMax);
  std::span<const Sample> samples{batch.samples()};
  bool is_first = true;
  while (is_first || !samples.empty()) {
    Slice slice{samples.first(std::min(samples.size(), samples_max)), {}, {}};
    samples = samples.subspan(slice.samples.size());
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
  if (message_bytes_bound(header.first, gathered.view()) <= message_bytes_max_) {
    header.epoch = identity.epoch;
    header.seq = identity.seq + 1;
    header.lane = lane;
    header.boot = identity.boot;
    if (auto bytes = encode_segment(header, gathered.view())) {
      ++identity.seq;
      segments.push_back({header, std::move(*bytes)});
      return;
    }
  }
  if (slice.readings() == 1) return extend(oversize, 1, header.first, header.last);
  const auto [older, newer] = slice.halves();
  build_slice(lane, older, identity, oversize, segments);
  build_slice(lane, newer, identity, oversize, segments);
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
