// SPDX-License-Identifier: Apache-2.0
// The load averages of /proc/loadavg.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "hal/source.hpp"

namespace fieldpost {

/// The averages over 1, 5 and 15 minutes.
/// Source: proc(5)
/// Errors: Malformed
Result<std::array<double, 3>> parse_loadavg(std::string_view text);

/// Opens node_load1, node_load5 and node_load15.
/// Unit:   runnable and uninterruptible tasks, 0.01
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_load(const SourceContext& context);

}  // namespace fieldpost
