// SPDX-License-Identifier: Apache-2.0
// Thermal zones and what cools them (fans, slower clocks) from /sys/class/thermal.
#pragma once

#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

/// Opens node_thermal_zone_temp, node_cooling_device_cur_state and node_cooling_device_max_state.
///
/// Unit:   celsius, 0.001; states count from 0 (no cooling)
/// Source: the kernel's Documentation/driver-api/thermal/sysfs-api.rst
/// Errors: NotPresent   neither zones nor cooling devices
/// Blocks: a zone's sensor may sit behind a slow bus or firmware; call on the worker
Result<std::unique_ptr<Source>> open_thermal(const SourceContext& context);

}  // namespace fieldpost
