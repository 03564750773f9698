// SPDX-License-Identifier: Apache-2.0
// See aggregate.hpp.
#include "agent/aggregate/aggregate.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/filter/value_order.hpp"
#include "hal/counter_step.hpp"

namespace fieldpost {
namespace {

constexpr std::uint32_t kUnknown = UINT32_MAX;
constexpr std::uint32_t kPassing = UINT32_MAX - 1;

/// The largest multiple of `length` that is not after `time`, also before the clock's zero.
BootTime window_start(BootTime time, nanoseconds length) {
  const auto since_boot = time.time_since_epoch();
  auto into = since_boot % length;
  if (into < nanoseconds{0}) into += length;
  return time - into;
}

}  // namespace

Aggregate::Aggregate(const SeriesTable& series, PolicyOf policy_of, ReadingSink& next,
                     nanoseconds grace)
    : series_{series}, policy_of_{std::move(policy_of)}, next_{next}, grace_{grace} {}

std::uint32_t Aggregate::place_of(SeriesId id) {
  const std::uint32_t place = index(id);
  if (place < places_.size() && places_[place] != kUnknown) return places_[place];
  return resolve(id);
}

std::uint32_t Aggregate::resolve(SeriesId id) {
  if (index(id) >= places_.size()) {
    places_.resize(std::max<std::size_t>(series_.size(), index(id) + 1), kUnknown);
  }
  const Series& series = series_[id];
  AggregateOptions options = policy_of_(series);
  if (options.window <= nanoseconds{0}) return places_[index(id)] = kPassing;

  const auto known =
      std::find_if(policies_.begin(), policies_.end(), [&](const AggregateOptions& policy) {
        return policy.window == options.window && policy.quantiles == options.quantiles;
      });
  Window window;
  window.series = id;
  window.policy = static_cast<std::uint32_t>(known - policies_.begin());
  window.is_counter = series.kind == SeriesKind::counter;
  window.wraps_at = series.wraps_at;
  if (known == policies_.end()) policies_.push_back(std::move(options));
  windows_.push_back(std::move(window));
  return places_[index(id)] = static_cast<std::uint32_t>(windows_.size() - 1);
}

void Aggregate::accept(const Sample& sample) {
  ++counts_.received;
  if (!is_finite(sample.value)) {
    ++counts_.not_finite;
    return;
  }
  const std::uint32_t place = place_of(sample.series);
  if (place == kPassing) {
    ++counts_.passed;
    next_.accept(sample);
    return;
  }
  Window& window = windows_[place];
  const bool is_late = window.count > 0 ? sample.time < window.start
                                        : window.ever_closed && sample.time < window.end;
  if (is_late) {
    ++counts_.late;
    return;
  }
  if (window.count > 0 && sample.time >= window.end) close(window);
  if (window.count == 0) {
    open(window, sample.time);
    earliest_end_ = std::min(earliest_end_, window.end);
  }
  add(window, sample);
  ++counts_.windowed;
}

void Aggregate::open(Window& window, BootTime time) const {
  const nanoseconds length = policies_[window.policy].window;
  window.start = window_start(time, length);
  window.end = window.start + length;
  window.sum = 0;
  window.sum_error = 0;
  window.mean = 0;
  window.squares = 0;
  window.quality = Quality::good;
  window.resets = 0;
  window.has_step = false;
  window.added_integer = 0;
  window.added_real = 0;
  window.order.clear();
}

void Aggregate::add(Window& window, const Sample& sample) const {
  const double real = sample.value.real();
  ++window.count;
  if (window.count == 1) {
    window.min = window.max = window.last = sample.value;
    window.last_at = sample.time;
  } else {
    if (is_less(sample.value, window.min)) window.min = sample.value;
    if (is_less(window.max, sample.value)) window.max = sample.value;
    if (sample.time >= window.last_at) {
      window.last = sample.value;
      window.last_at = sample.time;
    }
  }

  // Neumaier's sum: what an addition rounds away is added up too.
  const double sum = window.sum + real;
  window.sum_error += std::fabs(window.sum) >= std::fabs(real) ? (window.sum - sum) + real
                                                               : (real - sum) + window.sum;
  window.sum = sum;

  const double before = real - window.mean;
  window.mean += before / window.count;
  window.squares += before * (real - window.mean);

  window.quality = std::max(window.quality, sample.quality);
  if (!policies_[window.policy].quantiles.empty()) window.order.add(real);
  if (window.is_counter) add_step(window, sample);
}

void Aggregate::add_step(Window& window, const Sample& sample) const {
  // Out of order: it lies between two values whose difference is already counted.
  if (window.has_previous && sample.time < window.previous_at) return;
  if (window.has_previous) {
    const CounterStep step = counter_step(window.wraps_at, window.previous, sample.value);
    if (step.kind == CounterStep::Kind::reset) ++window.resets;
    // Whole steps are added up whole: a double would lose single bytes beyond 2^53.
    if (step.added.is_integer()) {
      window.added_integer += static_cast<std::uint64_t>(step.added.integer());
    } else {
      window.added_real += step.added.real();
    }
    window.has_step = true;
  }
  window.previous = sample.value;
  window.previous_at = sample.time;
  window.has_previous = true;
}

void Aggregate::close(Window& window) {
  const AggregateOptions& policy = policies_[window.policy];
  summary_.series = window.series;
  summary_.start = window.start;
  summary_.end = window.end;
  summary_.count = window.count;
  summary_.min = window.min;
  summary_.max = window.max;
  summary_.last = window.last;
  // A sum beyond the largest double is infinite, and its error then no number.
  summary_.sum = std::isfinite(window.sum) ? window.sum + window.sum_error : window.sum;
  summary_.stddev = std::sqrt(std::max(0.0, window.squares / window.count));
  summary_.quantiles.clear();
  for (const double rank : policy.quantiles) {
    summary_.quantiles.push_back({rank, window.order.at(rank)});
  }
  if (!policy.quantiles.empty() && !window.order.is_exact()) ++counts_.sketched;
  summary_.increase.reset();
  if (window.has_step) {
    summary_.increase = static_cast<double>(window.added_integer) + window.added_real;
  }
  summary_.resets = window.resets;
  summary_.quality = window.quality;

  window.count = 0;
  window.ever_closed = true;
  ++counts_.summaries;
  next_.accept(summary_);
}

void Aggregate::advance(BootTime now) {
  const BootTime closed_before = now - grace_;
  if (closed_before < earliest_end_) return;
  earliest_end_ = BootTime::max();
  for (Window& window : windows_) {
    if (window.count == 0) continue;
    if (window.end <= closed_before) {
      close(window);
    } else {
      earliest_end_ = std::min(earliest_end_, window.end);
    }
  }
}

void Aggregate::finish() {
  for (Window& window : windows_) {
    if (window.count > 0) close(window);
  }
  earliest_end_ = BootTime::max();
}

}  // namespace fieldpost
