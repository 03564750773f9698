// SPDX-License-Identifier: Apache-2.0
// Second stage: condenses the samples of a series into one summary per window of event time, or
// passes them on. Windows lie at whole multiples of their length on the boot-time clock, so that
// all series of one length share their borders, whatever the wall clock does meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "agent/aggregate/aggregate_options.hpp"
#include "agent/aggregate/order_statistics.hpp"
#include "agent/aggregate/reading.hpp"
#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

/// Since start. received = passed + windowed + late + not_finite.
struct AggregateCounts {
  std::uint64_t received = 0;
  std::uint64_t passed = 0;      ///< series without a window
  std::uint64_t windowed = 0;    ///< went into a summary
  std::uint64_t late = 0;        ///< dropped: their window was already closed
  std::uint64_t not_finite = 0;  ///< dropped; the filter in front leaves none
  std::uint64_t summaries = 0;
  std::uint64_t sketched = 0;    ///< summaries whose quantiles are estimates (OrderStatistics)
};

class Aggregate final : public SampleSink {
 public:
  /// Asked once for every series, when its first sample comes.
  using PolicyOf = std::function<AggregateOptions(const Series&)>;

  /// advance() leaves a window open for so long after its end: a source read on the worker hands
  /// its samples over after the tick they are stamped with.
  static constexpr nanoseconds kGrace = std::chrono::seconds{1};

  /// `series` and `next` are lent and outlive the stage.
  Aggregate(const SeriesTable& series, PolicyOf policy_of, ReadingSink& next,
            nanoseconds grace = kGrace);

  void accept(const Sample& sample) override;

  /// Closes the windows that ended before `now` less the grace. To be called every second or so:
  /// without it a window is closed by the next sample of its series only.
  void advance(BootTime now);

  /// Closes every open window as it stands; for an orderly stop. A summary made so bears its whole
  /// window's borders; after a restart within the window a second one continues it.
  void finish();

  const AggregateCounts& counts() const noexcept { return counts_; }

 private:
  struct Window {
    SeriesId series{};
    std::uint32_t policy = 0;
    std::uint32_t count = 0;  ///< 0: closed
    BootTime start;
    BootTime end;  ///< of the open window, or of the last one closed: what lies before is late
    BootTime last_at;
    Value min;
    Value max;
    Value last;
    double sum = 0;
    double sum_error = 0;  ///< Neumaier's compensation
    double mean = 0;       ///< Welford's, running
    double squares = 0;    ///< Welford's sum of squared differences
    bool is_counter = false;
    bool ever_closed = false;
    bool has_previous = false;
    bool has_step = false;
    Quality quality = Quality::good;
    std::uint32_t resets = 0;
    double wraps_at = 0;
    Value previous;  ///< counter's newest value, kept across windows
    BootTime previous_at;
    std::uint64_t added_integer = 0;
    double added_real = 0;
    OrderStatistics order;
  };

  std::uint32_t place_of(SeriesId id);
  std::uint32_t resolve(SeriesId id);
  void open(Window& window, BootTime time) const;
  void add(Window& window, const Sample& sample) const;
  void add_step(Window& window, const Sample& sample) const;
  void close(Window& window);

  const SeriesTable& series_;
  PolicyOf policy_of_;
  ReadingSink& next_;
  nanoseconds grace_;
  /// By series: kUnknown, kPassing, or the place in windows_.
  std::vector<std::uint32_t> places_;
  std::vector<Window> windows_;
  std::vector<AggregateOptions> policies_;
  /// No open window ends before this; lets advance() return at once.
  BootTime earliest_end_ = BootTime::max();
  Summary summary_;  ///< reused, so that its quantiles need no allocation
  AggregateCounts counts_;
};

}  // namespace fieldpost
