// SPDX-License-Identifier: Apache-2.0
// The sections of a body, in order; what is counted is counted in the header.
#include "agent/store/segment_body.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "agent/store/integer_column.hpp"
#include "agent/store/series_dictionary.hpp"
#include "agent/store/summary_column.hpp"
#include "agent/store/time_column.hpp"
#include "agent/store/value_column.hpp"

namespace fieldpost {
namespace {

Error out_of_range(std::string_view what) { return Error{ErrorKind::OutOfRange, "segment: too many " + std::string{what}}; }
Error malformed(const char* what) { return Error{ErrorKind::Malformed, std::string{"segment: "} + what}; }

bool fits(const Event& event) {
  std::size_t label_bytes = 0;
  for (const Label& label : event.labels) label_bytes += label.name.size() + label.value.size();
  return event.name.size() <= kEventTextBytesMax && event.message.size() <= kEventTextBytesMax &&
         event.labels.size() <= kSeriesLabelsMax && label_bytes <= kSeriesBytesMax;
}

Result<void> check_bounds(const SegmentView& content) {
  if (content.series.size() > SeriesTable::kSeriesMax) return out_of_range("series");
  if (content.samples.size() > kSegmentSamplesMax) return out_of_range("samples");
  if (content.summaries.size() > kSegmentSummariesMax) return out_of_range("summaries");
  if (content.events.size() > kSegmentEventsMax) return out_of_range("events");
  if (content.gaps.size() > kSegmentGapsMax) return out_of_range("gaps");
  for (const Series* series : content.series) {
    if (!fits_dictionary(*series)) return out_of_range("bytes or labels in one series");
  }
  for (const Event& event : content.events) {
    if (!fits(event)) return out_of_range("bytes or labels in one event");
  }
  for (const Summary& summary : content.summaries) {
    if (index(summary.series) >= content.series.size()) return Error{ErrorKind::Bug, "segment: a summary of no series"};
    if (summary.quantiles.size() > kSummaryQuantilesMax) return out_of_range("quantiles");
  }
  std::uint32_t before = 0;
  for (const Sample& sample : content.samples) {
    const std::uint32_t now = index(sample.series);
    if (now >= content.series.size()) return Error{ErrorKind::Bug, "segment: a sample of no series"};
    if (now < before) return Error{ErrorKind::Bug, "segment: samples are not ordered by series"};
    before = now;
  }
  return {};
}

void write_qualities(ByteWriter& out, std::span<const Sample> samples) {
  for (std::size_t i = 0; i < samples.size();) {
    std::size_t same = 1;
    while (i + same < samples.size() && samples[i + same].quality == samples[i].quality) ++same;
    out.u8(static_cast<std::uint8_t>(samples[i].quality));
    out.varint(same);
    i += same;
  }
}

void read_qualities(ByteReader& in, std::span<Sample> samples) {
  for (std::size_t i = 0; i < samples.size();) {
    const std::uint8_t quality = in.u8();
    std::size_t same = in.count(samples.size() - i);
    if (same == 0 || quality > static_cast<std::uint8_t>(Quality::substituted)) in.fail();
    if (in.failed()) return;
    for (; same > 0; --same) samples[i++].quality = static_cast<Quality>(quality);
  }
}

/// Runs of samples of one series: first how many and which, then their lists of times, then values.
void write_samples(ByteWriter& out, BootTime first, std::span<const Sample> samples) {
  TimeColumn times;
  std::vector<std::span<const Sample>> runs;
  std::vector<std::int64_t> series;
  std::vector<std::int64_t> lists;
  for (std::size_t i = 0; i < samples.size();) {
    std::size_t end = i + 1;
    while (end < samples.size() && samples[end].series == samples[i].series) ++end;
    runs.push_back(samples.subspan(i, end - i));
    series.push_back(index(samples[i].series));
    lists.push_back(static_cast<std::int64_t>(times.add(runs.back())));
    i = end;
  }
  times.write(out, first);
  out.varint(runs.size());
  write_integers(out, series, Differences::delta_of_delta, -1);
  write_integers(out, lists, Differences::delta);
  ValueColumnWriter values;
  std::vector<Value> run_values;
  for (const auto run : runs) {
    run_values.clear();
    for (const Sample& sample : run) run_values.push_back(sample.value);
    values.write(out, run_values);
  }
  write_qualities(out, samples);
}

std::vector<Sample> read_samples(ByteReader& in, const SegmentHeader& header, std::size_t series_count) {
  std::vector<Sample> samples;
  const auto lists = read_time_lists(in, header.first, header.samples);
  const std::size_t run_count = in.count(std::min<std::size_t>(series_count, header.samples));
  std::vector<std::int64_t> series(run_count);
  std::vector<std::int64_t> list_of(run_count);
  read_integers(in, series, Differences::delta_of_delta, -1);
  read_integers(in, list_of, Differences::delta);
  if (in.failed()) return samples;
  samples.reserve(header.samples);
  std::vector<Value> values;
  std::vector<std::int64_t> scratch;
  std::int64_t before = -1;
  for (std::size_t run = 0; run < run_count; ++run) {
    const bool series_ok = series[run] > before && static_cast<std::size_t>(series[run]) < series_count;
    const bool list_ok = list_of[run] >= 0 && static_cast<std::size_t>(list_of[run]) < lists.size();
    if (!series_ok || !list_ok) {
      in.fail();
      return samples;
    }
    before = series[run];
    const auto& times = lists[static_cast<std::size_t>(list_of[run])];
    if (times.size() > header.samples - samples.size()) in.fail();
    if (in.failed()) return samples;
    values.resize(times.size());
    read_values(in, values, scratch);
    for (std::size_t i = 0; i < times.size(); ++i) {
      samples.push_back({.series = static_cast<SeriesId>(series[run]), .value = values[i], .time = times[i]});
    }
  }
  if (samples.size() != header.samples) in.fail();
  read_qualities(in, samples);
  return samples;
}

void write_event(ByteWriter& out, const Event& event, BootTime first) {
  out.text(event.name);
  out.varint(event.labels.size());
  for (const Label& label : event.labels) {
    out.text(label.name);
    out.text(label.value);
  }
  out.u8(static_cast<std::uint8_t>(event.severity));
  out.zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(event.time.time_since_epoch().count()) -
                                       static_cast<std::uint64_t>(first.time_since_epoch().count())));
  out.u64(std::bit_cast<std::uint64_t>(event.value));
  out.text(event.message);
}

Event read_event(ByteReader& in, BootTime first) {
  Event event;
  event.name = in.text(kEventTextBytesMax);
  event.labels.resize(in.count(kSeriesLabelsMax));
  for (Label& label : event.labels) {
    label.name = in.text(kSeriesBytesMax);
    label.value = in.text(kSeriesBytesMax);
  }
  const std::uint8_t severity = in.u8();
  if (severity > static_cast<std::uint8_t>(Severity::resolved)) in.fail();
  event.severity = static_cast<Severity>(in.failed() ? 0 : severity);
  // Wraps as the difference did, so that any two instants are exact.
  event.time = BootTime{nanoseconds{static_cast<std::int64_t>(
      static_cast<std::uint64_t>(first.time_since_epoch().count()) + static_cast<std::uint64_t>(in.zigzag()))}};
  event.value = std::bit_cast<double>(in.u64());
  event.message = in.text(kEventTextBytesMax);
  return event;
}

void write_gap(ByteWriter& out, const Gap& gap) {
  out.u8(static_cast<std::uint8_t>(gap.cause));
  out.u8(static_cast<std::uint8_t>(gap.lane));
  out.varint(gap.readings);
  out.u64(gap.epoch);
  out.varint(gap.first_seq);
  out.varint(gap.last_seq - gap.first_seq);
  out.text(gap.boot);
  out.zigzag(gap.first.time_since_epoch().count());
  out.zigzag(gap.last.time_since_epoch().count());
}

Gap read_gap(ByteReader& in) {
  constexpr std::size_t kBootIdBytesMax = 64;
  Gap gap;
  const std::uint8_t cause = in.u8();
  const std::uint8_t lane = in.u8();
  if (cause > static_cast<std::uint8_t>(Gap::Cause::thinned) || lane >= kLanes.size()) in.fail();
  if (!in.failed()) {
    gap.cause = static_cast<Gap::Cause>(cause);
    gap.lane = static_cast<Lane>(lane);
  }
  gap.readings = in.varint();
  gap.epoch = in.u64();
  gap.first_seq = in.varint();
  gap.last_seq = gap.first_seq + in.varint();
  gap.boot = in.text(kBootIdBytesMax);
  gap.first = BootTime{nanoseconds{in.zigzag()}};
  gap.last = BootTime{nanoseconds{in.zigzag()}};
  return gap;
}

}  // namespace

Result<std::vector<std::byte>> write_body(BootTime first, const SegmentView& content) {
  TRY(check_bounds(content));
  ByteWriter out;
  write_dictionary(out, content.series);
  if (!content.samples.empty()) write_samples(out, first, content.samples);
  if (!content.summaries.empty()) write_summaries(out, first, content.summaries);
  for (const Event& event : content.events) write_event(out, event, first);
  for (const Gap& gap : content.gaps) write_gap(out, gap);
  if (out.size() > kSegmentBodyBytesMax) return out_of_range("bytes");
  return std::move(out).take();
}

Result<SegmentContent> read_body(const SegmentHeader& header, std::span<const std::byte> body) {
  if (header.samples > kSegmentSamplesMax || header.summaries > kSegmentSummariesMax ||
      header.events > kSegmentEventsMax || header.gaps > kSegmentGapsMax) {
    return malformed("a count is out of range");
  }
  ByteReader in{body};
  SegmentContent content;
  content.series = read_dictionary(in);
  if (in.failed()) return malformed("the series are damaged");
  if (header.samples > 0) content.samples = read_samples(in, header, content.series.size());
  if (in.failed()) return malformed("the samples are damaged");
  if (header.summaries > 0) {
    content.summaries = read_summaries(in, header.first, header.summaries, content.series.size());
  }
  if (in.failed()) return malformed("the summaries are damaged");
  for (std::uint32_t i = 0; i < header.events && !in.failed(); ++i) content.events.push_back(read_event(in, header.first));
  for (std::uint32_t i = 0; i < header.gaps && !in.failed(); ++i) content.gaps.push_back(read_gap(in));
  if (in.failed()) return malformed("the events or gaps are damaged");
  if (in.remaining() != 0) return malformed("bytes are left over");
  return content;
}

}  // namespace fieldpost
