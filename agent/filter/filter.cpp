// SPDX-License-Identifier: Apache-2.0
// See filter.hpp. Order of the steps, and why: what is no number goes first; a counter's rate is
// taken from every raw sample, before anything is withheld; the series' own range is about raw
// values, the configured one about calibrated ones; the spike gate comes before the deadband, which
// would else remember a spike as the last value passed.
#include "agent/filter/filter.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "agent/filter/value_order.hpp"
#include "hal/counter_step.hpp"

namespace fieldpost {
namespace {

bool is_outside(const std::optional<ValidRange>& range, const Value& value) {
  if (!range) return false;
  const double real = value.real();
  return real < range->min || real > range->max;
}

/// Whole, and an int64 for certain.
bool is_whole(double number) {
  return number == std::floor(number) && std::fabs(number) < 0x1p63;
}

const Value& median(const Value& a, const Value& b, const Value& c) {
  const Value& low = is_less(b, a) ? b : a;
  const Value& high = is_less(b, a) ? a : b;
  if (is_less(c, low)) return low;
  if (is_less(high, c)) return high;
  return c;
}

bool same_range(const std::optional<ValidRange>& a, const std::optional<ValidRange>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->min == b->min && a->max == b->max);
}

/// A source is read at multiples of its interval, each read a little late: one that was later than its
/// successor makes a short step, which still is the next interval's.
bool is_due(BootTime passed_at, BootTime now, nanoseconds period) {
  if (now - passed_at >= period) return true;
  return now - passed_at >= period / 8 * 7 &&
         now.time_since_epoch() / period != passed_at.time_since_epoch() / period;
}

/// "x_bytes_total" in bytes becomes "x_bytes_per_second" in bytes_per_second.
Series rate_series(const Series& counter) {
  constexpr std::string_view kTotal = "_total";
  std::string_view stem = counter.name;
  if (stem.ends_with(kTotal)) stem.remove_suffix(kTotal.size());
  Series rate;
  rate.name = std::string{stem} + "_per_second";
  rate.labels = counter.labels;
  rate.unit = counter.unit.empty() ? "per_second" : counter.unit + "_per_second";
  rate.kind = SeriesKind::gauge;
  rate.help = "Per second: " + counter.help;
  return rate;
}

}  // namespace

bool Filter::Policy::is_same_as(const Policy& other) const {
  const FilterOptions& a = options;
  const FilterOptions& b = other.options;
  return a.drop == b.drop && a.scale == b.scale && a.offset == b.offset && same_range(a.valid_range, b.valid_range) &&
         a.out_of_range == b.out_of_range && a.median_of_three == b.median_of_three &&
         a.deadband == b.deadband && a.interval_min == b.interval_min && a.rate == b.rate &&
         same_range(own_range, other.own_range) && wraps_at == other.wraps_at &&
         calibrates == other.calibrates;
}

Filter::Filter(SeriesTable& series, PolicyOf policy_of, SampleSink& next)
    : series_{series}, policy_of_{std::move(policy_of)}, next_{next} {}

void Filter::forget() {
  rows_.clear();
  policies_.clear();
}

Filter::Row& Filter::row_of(SeriesId id) {
  const std::uint32_t place = index(id);
  if (place >= rows_.size() || rows_[place].policy == Row::kUnknown) resolve(id);
  return rows_[place];
}

void Filter::resolve(SeriesId id) {
  if (index(id) >= rows_.size()) rows_.resize(std::max<std::size_t>(series_.size(), index(id) + 1));
  // A copy: adding the derived series may move the table's own.
  const Series series = series_[id];
  const bool is_counter = series.kind == SeriesKind::counter;

  Policy policy;
  policy.options = policy_of_(series);
  policy.own_range = series.valid_range;
  policy.wraps_at = is_counter ? series.wraps_at : 0;
  if (is_counter) {
    policy.options.median_of_three = false;
  } else {
    policy.options.rate = FilterOptions::Rate::none;
  }
  if (policy.options.drop) policy.options.rate = FilterOptions::Rate::none;
  FilterOptions& options = policy.options;
  policy.calibrates = !is_counter && (options.scale != 1 || options.offset != 0);
  policy.exact = is_whole(options.scale) && is_whole(options.offset);
  if (policy.exact) {
    policy.scale = static_cast<std::int64_t>(options.scale);
    policy.offset = static_cast<std::int64_t>(options.offset);
  }
  policy.plain = !options.drop && !policy.calibrates && !options.valid_range && !policy.own_range &&
                 !options.median_of_three && !options.deadband &&
                 options.interval_min <= nanoseconds{0} &&
                 options.rate == FilterOptions::Rate::none;

  const auto known = std::find_if(policies_.begin(), policies_.end(),
                                  [&](const Policy& each) { return each.is_same_as(policy); });
  const auto place = static_cast<std::uint32_t>(known - policies_.begin());
  if (known == policies_.end()) policies_.push_back(policy);
  rows_[index(id)].policy = place;

  if (options.rate == FilterOptions::Rate::none) return;
  auto derived = series_.add(rate_series(series));
  if (derived) {
    rows_[index(id)].derived = *derived;
    rows_[index(id)].has_derived = true;
  } else {
    ++counts_.series_full;
  }
}

Value Filter::calibrate(const Policy& policy, const Value& value) const {
  if (!policy.calibrates) return value;
  if (value.is_integer() && policy.exact) {
    std::int64_t result = 0;
    if (!__builtin_mul_overflow(value.integer(), policy.scale, &result) &&
        !__builtin_add_overflow(result, policy.offset, &result)) {
      return Value{result};
    }
  }
  return Value{value.real() * policy.options.scale + policy.options.offset};
}

void Filter::derive_rate(const Policy& policy, std::uint32_t row_place, const Sample& sample) {
  Row& row = rows_[row_place];
  const bool had = row.has_counter;
  const Value before = row.counter;
  const BootTime before_at = row.counter_at;
  if (had && sample.time <= before_at) return;  // no time has passed, or it comes out of order
  row.counter = sample.value;
  row.counter_at = sample.time;
  row.has_counter = true;
  if (!had || !row.has_derived) return;

  const double elapsed = std::chrono::duration<double>(sample.time - before_at).count();
  const CounterStep step = counter_step(policy.wraps_at, before, sample.value);
  const Sample rate{row.derived, Value{step.amount() / elapsed * policy.options.scale}, sample.time,
                    sample.quality};
  ++counts_.derived;
  accept(rate);  // a series like any other; being a gauge it derives nothing further
}

bool Filter::is_worth_passing(const Policy& policy, const Row& row, const Sample& sample) {
  if (!row.has_passed) return true;
  const auto elapsed = sample.time - row.passed_at;
  if (!is_due(row.passed_at, sample.time, policy.options.interval_min)) {
    ++counts_.interval;
    return false;
  }
  if (const auto& deadband = policy.options.deadband) {
    if (sample.quality != row.passed_quality) return true;
    if (deadband->heartbeat > nanoseconds{0} && elapsed >= deadband->heartbeat) return true;
    const double band =
        std::max(deadband->absolute, deadband->relative * std::fabs(row.passed.real()));
    if (!differ_by_more_than(row.passed, sample.value, band)) {
      ++counts_.deadband;
      return false;
    }
  }
  return true;
}

void Filter::pass(const Sample& sample) {
  ++counts_.passed;
  if (sample.quality == Quality::suspect) ++counts_.suspect;
  next_.accept(sample);
}

bool Filter::believe(const Policy& policy, Sample& sample) {
  const FilterOptions& options = policy.options;
  if (options.drop) {
    ++counts_.unwanted;
    return false;
  }
  const Value raw = sample.value;
  sample.value = calibrate(policy, raw);
  if (!is_finite(sample.value)) {
    ++counts_.not_finite;
    return false;
  }
  const bool outside = options.valid_range ? is_outside(options.valid_range, sample.value)
                                           : is_outside(policy.own_range, raw);
  if (!outside) return true;
  if (options.out_of_range == FilterOptions::OutOfRange::drop) {
    ++counts_.out_of_range;
    return false;
  }
  sample.quality = std::max(sample.quality, Quality::suspect);
  return true;
}

void Filter::remove_spike(Row& row, Sample& sample) {
  // A suspect value neither enters the median nor is hidden by it.
  if (sample.quality != Quality::good) return;
  const Value newest = sample.value;
  if (row.recent_count == 2) {
    sample.value = median(row.recent[0], row.recent[1], newest);
  } else {
    ++row.recent_count;
  }
  row.recent[0] = row.recent[1];
  row.recent[1] = newest;
}

void Filter::accept(const Sample& sample) {
  ++counts_.received;
  if (!is_finite(sample.value)) {
    ++counts_.not_finite;
    return;
  }
  const std::uint32_t row_place = index(sample.series);
  const std::uint32_t policy_place = row_of(sample.series).policy;
  if (policies_[policy_place].plain) {
    pass(sample);
    return;
  }

  Sample out = sample;
  if (!believe(policies_[policy_place], out)) return;
  const FilterOptions::Rate rate = policies_[policy_place].options.rate;
  if (rate != FilterOptions::Rate::none) {
    // A counter is not calibrated, so `out` still bears its own number. The derived series may be
    // met for the first time, which moves rows_ and policies_: no reference is held across this.
    derive_rate(policies_[policy_place], row_place, out);
    if (rate == FilterOptions::Rate::replace) {
      ++counts_.replaced;
      return;
    }
  }

  const Policy& policy = policies_[policy_place];
  Row& row = rows_[row_place];
  if (policy.options.median_of_three) remove_spike(row, out);
  if (!is_worth_passing(policy, row, out)) return;
  row.has_passed = true;
  row.passed = out.value;
  row.passed_quality = out.quality;
  row.passed_at = out.time;
  pass(out);
}

}  // namespace fieldpost
