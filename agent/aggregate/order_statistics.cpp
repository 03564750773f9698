// SPDX-License-Identifier: Apache-2.0
// See order_statistics.hpp. A bucket's key orders as the values in it do, over negative, zero and
// positive alike, so that one sorted array serves all of them.
#include "agent/aggregate/order_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace fieldpost {
namespace {

constexpr double kGamma =
    (1 + OrderStatistics::kRelativeError) / (1 - OrderStatistics::kRelativeError);
/// ceil(log_gamma(v)) of the smallest double is -37,222 and of the largest 35,491: shifted, the
/// keys of all positive values are positive.
constexpr std::int32_t kShift = 40'000;

std::int32_t key_of(double value) {
  static const double log_gamma = std::log(kGamma);
  if (value == 0) return 0;
  const auto magnitude =
      static_cast<std::int32_t>(std::ceil(std::log(std::fabs(value)) / log_gamma)) + kShift;
  return value > 0 ? magnitude : -magnitude;
}

/// The value that is within kRelativeError of all that share the key.
double value_of(std::int32_t key) {
  if (key == 0) return 0;
  const double magnitude = 2 * std::pow(kGamma, std::abs(key) - kShift) / (1 + kGamma);
  return key > 0 ? magnitude : -magnitude;
}

/// Where the value of that rank stands, counted from 0, in `count` values in order.
std::uint64_t place_of(double rank, std::uint64_t count) {
  // 0.07 * 100 is 7.000000000000001 in doubles; the slack keeps it the seventh.
  const double nearest = std::ceil(rank * static_cast<double>(count) - 1e-9);
  if (!(nearest > 1)) return 0;
  return std::min(static_cast<std::uint64_t>(nearest), count) - 1;
}

}  // namespace

void OrderStatistics::add(double value) {
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  sorted_ = false;
  if (!is_exact()) {
    add_to_bucket(value);
    return;
  }
  if (values_.size() == kExactMax) {
    become_sketch();
    add_to_bucket(value);
    return;
  }
  // Doubling past 600 would take memory that is never used.
  if (values_.size() == values_.capacity()) {
    values_.reserve(std::min(kExactMax, std::max<std::size_t>(16, 2 * values_.size())));
  }
  values_.push_back(value);
}

void OrderStatistics::become_sketch() {
  for (const double value : values_) add_to_bucket(value);
  values_.clear();
}

void OrderStatistics::add_to_bucket(double value) {
  const std::int32_t key = key_of(value);
  auto place = std::lower_bound(buckets_.begin(), buckets_.end(), key,
                                [](const Bucket& bucket, std::int32_t k) { return bucket.key < k; });
  if (place != buckets_.end() && place->key == key) {
    ++place->count;
    return;
  }
  if (buckets_.size() == kBucketsMax) {
    if (place == buckets_.begin()) {
      // Lower than the lowest of a full sketch: it joins that one.
      ++place->count;
      return;
    }
    const auto offset = place - buckets_.begin();
    buckets_[1].count += buckets_[0].count;
    buckets_.erase(buckets_.begin());
    place = buckets_.begin() + (offset - 1);
  }
  buckets_.insert(place, Bucket{key, 1});
}

double OrderStatistics::at(double rank) {
  const std::uint64_t place = place_of(rank, count_);
  if (is_exact()) {
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
    return values_[static_cast<std::size_t>(place)];
  }
  std::uint64_t before = 0;
  for (const Bucket& bucket : buckets_) {
    before += bucket.count;
    // A bucket's value may lie outside what was seen; the ends are known exactly.
    if (before > place) return std::clamp(value_of(bucket.key), min_, max_);
  }
  return max_;
}

void OrderStatistics::clear() noexcept {
  values_.clear();
  buckets_.clear();
  count_ = 0;
  sorted_ = false;
}

}  // namespace fieldpost
