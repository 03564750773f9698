// SPDX-License-Identifier: Apache-2.0
// Pressure stall information: for how long tasks waited for the CPU, memory, I/O or interrupts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "hal/source.hpp"

namespace fieldpost {

/// Microseconds since boot during which some tasks waited, and during which all did.
struct PressureTotals {
  std::optional<std::uint64_t> some;
  std::optional<std::uint64_t> full;
};

/// Source: the kernel's Documentation/accounting/psi.rst
PressureTotals parse_pressure(std::string_view text);

/// Opens node_pressure_*.
/// Unit:   seconds, 0.000001
/// Errors: NotPresent   the kernel has no PSI, or it is switched off (psi=1 on its command line)
Result<std::unique_ptr<Source>> open_pressure(const SourceContext& context);

}  // namespace fieldpost
