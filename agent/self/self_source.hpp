// SPDX-License-Identifier: Apache-2.0
// The agent as a source of its own: figures about itself take the same road as every other reading.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "hal/metric.hpp"
#include "hal/sample.hpp"
#include "hal/source.hpp"
#include "hal/steady_rows.hpp"

namespace fieldpost {

/// One figure of the agent: a metric of self_metrics.hpp, its label if it has one, and the value now.
struct SelfFigure {
  const Metric* metric;  ///< a constant
  Value value;
  std::vector<Label> labels = {};
};

class SelfSource final : public Source {
 public:
  /// Gives all figures, in the same order every time as far as possible.
  using Collect = std::function<std::vector<SelfFigure>()>;

  /// `series` is lent and outlives the source.
  SelfSource(SeriesTable& series, Collect collect);

  /// A figure whose series finds no place in the table is left out.
  /// Errors: Full when none did
  Result<void> read(SampleSink& sink, BootTime now) override;

 private:
  SeriesTable& series_;
  Collect collect_;
  SteadyRows<std::optional<SeriesId>> rows_;
};

}  // namespace fieldpost
