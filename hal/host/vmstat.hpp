// SPDX-License-Identifier: Apache-2.0
// The few lines of /proc/vmstat that tell of trouble: paging, swapping, faults, and tasks killed for
// want of memory. The same ones as node_exporter's default.
#pragma once

#include <memory>
#include <string_view>

#include "hal/source.hpp"

namespace fieldpost {

/// True for oom_kill, pgpgin, pgpgout, pswpin, pswpout and the pg...fault lines.
bool is_vmstat_line_of_interest(std::string_view key);

/// Opens node_vmstat_*.
/// Unit:   counts; pages of 1024 bytes for pgpgin and pgpgout
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_vmstat(const SourceContext& context);

}  // namespace fieldpost
