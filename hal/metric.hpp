// SPDX-License-Identifier: Apache-2.0
// A metric is a series without its labels: one constant row of a driver. The name, HELP text and kind
// of host, network and sensor metrics are node_exporter's.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "hal/series.hpp"

namespace fieldpost {

struct Metric {
  std::string_view name;
  std::string_view help;
  std::string_view unit{};
  SeriesKind kind = SeriesKind::gauge;
};

/// Errors: Full, as SeriesTable::add
inline Result<SeriesId> add_series(SeriesTable& table, const Metric& metric,
                                   std::vector<Label> labels = {}) {
  return table.add(Series{std::string{metric.name}, std::move(labels), std::string{metric.unit},
                          metric.kind, std::string{metric.help}});
}

/// One series of each metric, all with the same labels; a device's worth.
/// Errors: Full; the series added before stay
template <std::size_t N>
Result<std::array<SeriesId, N>> add_series(SeriesTable& table, const std::array<Metric, N>& metrics,
                                           const std::vector<Label>& labels) {
  std::array<SeriesId, N> ids{};
  for (std::size_t i = 0; i < N; ++i) ids[i] = TRY(add_series(table, metrics[i], labels));
  return ids;
}

}  // namespace fieldpost
