// SPDX-License-Identifier: Apache-2.0
// Memory is counted when a reading comes and when it goes; vectors' spare capacity is not.
#include "agent/store/batch.hpp"

#include <algorithm>
#include <iterator>

namespace fieldpost {
namespace {

std::size_t cost_of(const Sample&) { return sizeof(Sample); }

std::size_t cost_of(const Summary& summary) {
  return sizeof(Summary) + summary.quantiles.size() * sizeof(Quantile);
}

std::size_t cost_of(const Event& event) {
  std::size_t bytes = sizeof(Event) + event.name.size() + event.message.size();
  for (const Label& label : event.labels) bytes += sizeof(Label) + label.name.size() + label.value.size();
  return bytes;
}

BootTime first_of(const Sample& sample) { return sample.time; }
BootTime first_of(const Summary& summary) { return summary.start; }
BootTime first_of(const Event& event) { return event.time; }
BootTime last_of(const Sample& sample) { return sample.time; }
BootTime last_of(const Summary& summary) { return summary.end; }
BootTime last_of(const Event& event) { return event.time; }

/// Drops from the front until `bytes` are freed; returns what was freed.
template <typename Reading>
std::size_t drop_front(std::vector<Reading>& readings, std::size_t bytes, Gap& gap) {
  std::size_t freed = 0;
  std::size_t count = 0;
  while (count < readings.size() && freed < bytes) {
    const Reading& reading = readings[count];
    freed += cost_of(reading);
    extend(gap, 1, first_of(reading), last_of(reading));
    ++count;
  }
  readings.erase(readings.begin(), readings.begin() + static_cast<std::ptrdiff_t>(count));
  return freed;
}

template <typename Reading>
void put_in_front(std::vector<Reading>& readings, std::vector<Reading>&& older) {
  older.insert(older.end(), std::make_move_iterator(readings.begin()), std::make_move_iterator(readings.end()));
  readings = std::move(older);
}

}  // namespace

void Batch::add(const Sample& sample) {
  samples_.push_back(sample);
  bytes_ += cost_of(sample);
}

void Batch::add(const Summary& summary) {
  summaries_.push_back(summary);
  bytes_ += cost_of(summary);
}

void Batch::add(Event event) {
  bytes_ += cost_of(event);
  events_.push_back(std::move(event));
}

void Batch::put_back(Batch&& older) {
  put_in_front(samples_, std::move(older.samples_));
  put_in_front(summaries_, std::move(older.summaries_));
  put_in_front(events_, std::move(older.events_));
  bytes_ += older.bytes_;
  older = Batch{};
}

void Batch::drop_oldest(std::size_t bytes, Gap& gap) {
  // Samples come at the highest rate and are worth the least; events are kept longest.
  std::size_t freed = drop_front(samples_, bytes, gap);
  if (freed < bytes) freed += drop_front(summaries_, bytes - freed, gap);
  if (freed < bytes) freed += drop_front(events_, bytes - freed, gap);
  bytes_ -= std::min(bytes_, freed);
}

std::size_t bytes_of(const Batches& batches) noexcept {
  std::size_t bytes = 0;
  for (const Batch& batch : batches) bytes += batch.bytes();
  return bytes;
}

std::uint64_t readings_of(const Batches& batches) noexcept {
  std::uint64_t readings = 0;
  for (const Batch& batch : batches) readings += batch.readings();
  return readings;
}

std::vector<Gap> drop_oldest(Batches& batches, std::size_t bytes, const BootId& boot) {
  std::vector<Gap> gaps;
  for (const Lane lane : {Lane::bulk, Lane::live, Lane::event, Lane::alert}) {
    Batch& batch = batches[index(lane)];
    if (bytes == 0 || batch.empty()) continue;
    Gap gap{.cause = Gap::Cause::memory, .lane = lane, .boot = boot};
    const std::size_t before = batch.bytes();
    batch.drop_oldest(std::min(bytes, before), gap);
    bytes -= std::min(bytes, before - batch.bytes());
    gaps.push_back(gap);
  }
  return gaps;
}

void extend(Gap& gap, std::uint64_t readings, BootTime first, BootTime last) {
  const bool is_first = gap.readings == 0 && gap.first == BootTime{} && gap.last == BootTime{};
  gap.first = is_first ? first : std::min(gap.first, first);
  gap.last = is_first ? last : std::max(gap.last, last);
  gap.readings += readings;
}

}  // namespace fieldpost
