// SPDX-License-Identifier: Apache-2.0
// Thinning is what agent/aggregate does with a window as configured, later; so a summary means the same, wherever it was made.
#include "agent/store/segment_run.hpp"

#include <algorithm>
#include <utility>

namespace fieldpost {
namespace {

/// The estimate is not exact; and what is cut for being a little too long costs its series twice.
constexpr std::size_t kFullTenths = 9;

/// What a message gets longer by with these readings, but for their series.
std::size_t weight_of(const SegmentContent& content) {
  constexpr std::size_t kInstantBytes = 9;
  constexpr std::size_t kFrameBytes = 16;
  std::size_t bytes = kFrameBytes;
  std::size_t run = 0;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < content.samples.size(); ++i) {
    bytes += message_bytes_bound(content.samples[i].value) + (content.samples[i].quality == Quality::good ? 0 : 2);
    run = i > 0 && content.samples[i].series == content.samples[i - 1].series ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  for (const Summary& summary : content.summaries) bytes += message_bytes_bound(summary);
  for (const Event& event : content.events) bytes += message_bytes_bound(event);
  return bytes + longest * kInstantBytes;
}

}  // namespace

SegmentRun::SegmentRun(std::size_t message_bytes_max, std::optional<nanoseconds> thin_window)
    : message_bytes_max_{message_bytes_max}, full_at_{message_bytes_max / 10 * kFullTenths} {
  if (!thin_window) return;
  windows_.emplace(table_, [window = *thin_window](const Series&) {
    AggregateOptions options;
    options.window = window;
    options.quantiles.clear();
    return options;
  }, sink_);
}

std::optional<std::vector<SeriesId>> SegmentRun::places_of(const std::vector<Series>& series) {
  std::vector<SeriesId> places;
  places.reserve(series.size());
  for (const Series& one : series) {
    const auto place = table_.add(one);
    if (!place || table_[*place].unit != one.unit || table_[*place].kind != one.kind) return std::nullopt;
    places.push_back(*place);
  }
  return places;
}

Result<bool> SegmentRun::add(std::span<const std::byte> segment) {
  SegmentContent content = TRY(decode_segment_content(segment));
  const std::size_t weight = weight_of(content);
  if (!is_empty_) {
    if (batch_.samples().size() + content.samples.size() > kSamplesMax && !windows_) return false;
    if (batch_.summaries().size() + content.summaries.size() > kSummariesMax) return false;
    if (!windows_ && message_bytes_ + weight > full_at_) return false;
  }
  const auto places = places_of(content.series);
  if (!places) return false;
  is_empty_ = false;
  for (; series_weighed_ < table_.size(); ++series_weighed_) message_bytes_ += message_bytes_bound(table_.all()[series_weighed_]);
  message_bytes_ += weight;
  for (Sample& sample : content.samples) {
    sample.series = (*places)[index(sample.series)];
    add(sample);
  }
  for (Summary& summary : content.summaries) {
    summary.series = (*places)[index(summary.series)];
    batch_.add(summary);
  }
  for (Event& event : content.events) batch_.add(std::move(event));
  return true;
}

void SegmentRun::add(const Sample& sample) {
  if (windows_) {
    const std::uint64_t before = windows_->counts().windowed;
    windows_->accept(sample);
    if (windows_->counts().windowed > before) {
      ++thinned_;
      return;
    }
  }
  batch_.add(sample);
}

std::vector<EncodedSegment> SegmentRun::build(Lane lane, Epoch epoch, const BootId& boot, Gap& oversize) {
  if (windows_) windows_->finish();
  SegmentBuilder::Identity identity{.epoch = epoch, .seq = 1, .boot = boot, .first_seq = 1, .is_thinned = windows_.has_value()};
  return SegmentBuilder{table_, message_bytes_max_}.build(lane, batch_, identity, oversize);
}

}  // namespace fieldpost
