// SPDX-License-Identifier: Apache-2.0
// Temperatures, voltages, currents, power, fans and their limits from every chip that has a kernel
// hwmon driver.
#pragma once

#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

/// Opens node_hwmon_*.
///
/// Unit:   celsius, volts, amperes 0.001; watts, joules 0.000001; revolutions per minute
/// Source: the kernel's Documentation/hwmon/sysfs-interface.rst
/// Errors: NotPresent   no chip
/// Blocks: a reading may be a bus transfer of some milliseconds; call on the worker
Result<std::unique_ptr<Source>> open_hwmon(const SourceContext& context);

}  // namespace fieldpost
