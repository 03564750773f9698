// SPDX-License-Identifier: Apache-2.0
// First stage: decides sample by sample what is believed and what is worth keeping. It holds a
// dense row of state per series; a sample costs no allocation and no look-up by name.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "agent/filter/filter_options.hpp"
#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// Since start. received = passed + unwanted + not_finite + out_of_range + deadband + interval +
/// replaced, where received includes the derived samples.
struct FilterCounts {
  std::uint64_t received = 0;
  std::uint64_t passed = 0;
  std::uint64_t unwanted = 0;      ///< dropped: the policy says so (FilterOptions::drop)
  std::uint64_t not_finite = 0;    ///< dropped: NaN or infinite, as read or after calibration
  std::uint64_t out_of_range = 0;  ///< dropped: outside the valid range
  std::uint64_t deadband = 0;      ///< withheld: change within the band
  std::uint64_t interval = 0;      ///< withheld: too soon after the last
  std::uint64_t replaced = 0;      ///< a counter's sample that only served its rate
  std::uint64_t suspect = 0;       ///< passed, but marked so, here or by the source
  std::uint64_t derived = 0;       ///< rates made here, counted in received too
  std::uint64_t series_full = 0;   ///< counters whose rate found no place in the series table
};

class Filter final : public SampleSink {
 public:
  /// Asked once for every series, when its first sample comes.
  using PolicyOf = std::function<FilterOptions(const Series&)>;

  /// `series` (to which derived series are added) and `next` are lent and outlive the filter.
  Filter(SeriesTable& series, PolicyOf policy_of, SampleSink& next);

  void accept(const Sample& sample) override;

  const FilterCounts& counts() const noexcept { return counts_; }

  /// Forgets what was decided about every series, so that policies are asked for anew (after a
  /// change of configuration). The last values are forgotten too: the next sample of each passes.
  void forget();

 private:
  struct Row {
    static constexpr std::uint32_t kUnknown = UINT32_MAX;
    std::uint32_t policy = kUnknown;  ///< index into policies_
    SeriesId derived{};
    bool has_derived = false;
    bool has_passed = false;
    bool has_counter = false;
    std::uint8_t recent_count = 0;
    Quality passed_quality = Quality::good;
    Value passed;       ///< last one passed on
    BootTime passed_at;
    Value counter;      ///< last raw value, for the rate
    BootTime counter_at;
    Value recent[2];    ///< the two before this one, for the median; [1] is the newer
  };

  struct Policy {
    FilterOptions options;
    std::optional<ValidRange> own_range;
    double wraps_at = 0;
    bool calibrates = false;
    bool exact = false;  ///< scale and offset are whole numbers
    std::int64_t scale = 1;
    std::int64_t offset = 0;
    bool plain = false;  ///< nothing to do but to check that it is finite
    bool is_same_as(const Policy& other) const;
  };

  Row& row_of(SeriesId id);
  void resolve(SeriesId id);
  Value calibrate(const Policy& policy, const Value& value) const;
  void derive_rate(const Policy& policy, std::uint32_t row, const Sample& sample);
  bool believe(const Policy& policy, Sample& sample);
  static void remove_spike(Row& row, Sample& sample);
  bool is_worth_passing(const Policy& policy, const Row& row, const Sample& sample);
  void pass(const Sample& sample);

  SeriesTable& series_;
  PolicyOf policy_of_;
  SampleSink& next_;
  std::vector<Row> rows_;
  std::vector<Policy> policies_;  ///< each distinct one once: ten thousand series share a few
  FilterCounts counts_;
};

}  // namespace fieldpost
