// SPDX-License-Identifier: Apache-2.0
// Quantiles of one window in bounded memory. Up to kExactMax values are kept and the answer is
// exact; past it they become a DDSketch (Masson, Rim, Lee 2019): counts in buckets whose borders
// grow by a constant factor, so that every answer is within kRelativeError of a true value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fieldpost {

class OrderStatistics {
 public:
  /// Ten minutes at a sample a second.
  static constexpr std::size_t kExactMax = 600;
  /// Sketch buckets; at one percent these span eight powers of ten. When more are needed, the two
  /// lowest are joined: upper quantiles stay good, the lowest lose precision.
  static constexpr std::size_t kBucketsMax = 1024;
  static constexpr double kRelativeError = 0.01;

  /// `value` is finite.
  void add(double value);

  /// The value of nearest rank: the smallest for which at least `rank` of all values are no
  /// larger. Requires: count() > 0
  double at(double rank);

  std::uint64_t count() const noexcept { return count_; }
  bool is_exact() const noexcept { return buckets_.empty(); }

  /// Empties it; memory is kept for the next window.
  void clear() noexcept;

 private:
  struct Bucket {
    std::int32_t key;
    std::uint32_t count;
  };

  void add_to_bucket(double value);
  void become_sketch();

  std::vector<double> values_;    ///< all of them, while exact
  std::vector<Bucket> buckets_;   ///< by key, ascending; empty while exact
  std::uint64_t count_ = 0;
  double min_ = 0;
  double max_ = 0;
  bool sorted_ = false;
};

}  // namespace fieldpost
