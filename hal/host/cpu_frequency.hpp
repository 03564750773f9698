// SPDX-License-Identifier: Apache-2.0
// The clock of each CPU and its limits: on a fanless board the first sign of heat is a slower clock.
#pragma once

#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

/// Opens node_cpu_scaling_frequency_hertz, ..._min_hertz, ..._max_hertz and, where we may read them,
/// node_cpu_frequency_hertz and its limits.
/// Unit:   hertz, 1000
/// Source: the kernel's Documentation/admin-guide/pm/cpufreq.rst
/// Errors: NotPresent   no CPU has cpufreq
/// Blocks: firmware that is asked may take milliseconds
Result<std::unique_ptr<Source>> open_cpu_frequency(const SourceContext& context);

}  // namespace fieldpost
