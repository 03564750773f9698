// SPDX-License-Identifier: Apache-2.0
// Samples as Prometheus text (format 0.0.4), with node_exporter's number format, so that the two can
// be compared line by line.
#pragma once

#include <span>
#include <string>

#include "hal/sample.hpp"

namespace fieldpost {

/// # HELP, # TYPE and one line a sample, families sorted by name, as node_exporter prints them.
/// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
std::string to_prometheus_text(const SeriesTable& table, std::span<const Sample> samples);

/// A double as Go's strconv.FormatFloat(v, 'g', -1, 64) prints it ("1.5e+09", "+Inf", "NaN"):
/// what node_exporter shows. Integers print as the same double would, but exactly.
std::string to_prometheus_number(const Value& value);

}  // namespace fieldpost
