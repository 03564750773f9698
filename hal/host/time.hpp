// SPDX-License-Identifier: Apache-2.0
// The wall clock, so that its steps and its drift are seen upstream, and how long the machine runs.
#pragma once

#include <memory>
#include <string_view>

#include "hal/source.hpp"

namespace fieldpost {

/// Seconds since boot, the first number of /proc/uptime.
/// Source: proc(5)
/// Errors: Malformed
Result<double> parse_uptime(std::string_view text);

/// Opens node_time_seconds and fieldpost_uptime_seconds. In a captured tree the wall clock is the
/// number in /captured/time.
/// Unit:   seconds, 0.000001 and 0.01
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_time(const SourceContext& context);

}  // namespace fieldpost
