// SPDX-License-Identifier: Apache-2.0
// Distinct instants as deltas of deltas, then each list as numbers of instants, likewise.
#include "agent/store/time_column.hpp"

#include <algorithm>

#include "agent/store/integer_column.hpp"

namespace fieldpost {
namespace {

std::int64_t nanoseconds_of(const Sample& sample) { return sample.time.time_since_epoch().count(); }

bool same_times(std::span<const std::int64_t> times, std::span<const Sample> samples) {
  return std::equal(times.begin(), times.end(), samples.begin(), samples.end(),
                    [](std::int64_t time, const Sample& sample) { return time == nanoseconds_of(sample); });
}

std::uint64_t hash_of(std::span<const Sample> samples) {
  std::uint64_t hash = samples.size();
  for (const Sample& sample : samples) {
    hash = (hash ^ static_cast<std::uint64_t>(nanoseconds_of(sample))) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29U;
  }
  return hash;
}

}  // namespace

std::span<const std::int64_t> TimeColumn::list(std::size_t number) const {
  const std::size_t start = starts_[number];
  const std::size_t end = number + 1 < starts_.size() ? starts_[number + 1] : times_.size();
  return std::span{times_}.subspan(start, end - start);
}

std::size_t TimeColumn::add(std::span<const Sample> samples) {
  // Neighbours come from one read as a rule; the table is for the rest.
  if (!starts_.empty() && same_times(list(newest_), samples)) return newest_;
  const std::uint64_t hash = hash_of(samples);
  const auto [from, to] = by_hash_.equal_range(hash);
  for (auto known = from; known != to; ++known) {
    if (same_times(list(known->second), samples)) return newest_ = known->second;
  }
  newest_ = starts_.size();
  starts_.push_back(times_.size());
  for (const Sample& sample : samples) times_.push_back(nanoseconds_of(sample));
  by_hash_.emplace(hash, newest_);
  return newest_;
}

void TimeColumn::write(ByteWriter& out, BootTime first) const {
  std::vector<std::int64_t> instants{times_};
  std::sort(instants.begin(), instants.end());
  instants.erase(std::unique(instants.begin(), instants.end()), instants.end());
  out.varint(instants.size());
  write_integers(out, instants, Differences::delta_of_delta, first.time_since_epoch().count());

  out.varint(starts_.size());
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < starts_.size(); ++i) {
    numbers.clear();
    for (const std::int64_t time : list(i)) {
      numbers.push_back(std::lower_bound(instants.begin(), instants.end(), time) - instants.begin());
    }
    out.varint(numbers.size());
    write_integers(out, numbers, Differences::delta_of_delta, -1);
  }
}

std::vector<std::vector<BootTime>> read_time_lists(ByteReader& in, BootTime first, std::size_t times_max) {
  std::vector<std::vector<BootTime>> lists;
  std::vector<std::int64_t> instants(in.count(times_max));
  read_integers(in, instants, Differences::delta_of_delta, first.time_since_epoch().count());
  const std::size_t list_count = in.count(times_max);
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < list_count && !in.failed(); ++i) {
    numbers.resize(in.count(times_max));
    times_max -= numbers.size();  // lists together hold no more times than there are samples
    read_integers(in, numbers, Differences::delta_of_delta, -1);
    if (numbers.empty()) in.fail();  // no series is without samples
    if (in.failed()) break;
    std::vector<BootTime>& list = lists.emplace_back();
    list.reserve(numbers.size());
    for (const std::int64_t number : numbers) {
      if (number < 0 || static_cast<std::size_t>(number) >= instants.size()) {
        in.fail();
        break;
      }
      list.push_back(BootTime{nanoseconds{instants[static_cast<std::size_t>(number)]}});
    }
  }
  return lists;
}

}  // namespace fieldpost
