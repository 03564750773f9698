// SPDX-License-Identifier: Apache-2.0
// The names of severities, as messages and logs spell them.
#include "hal/event.hpp"

namespace fieldpost {

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warn: return "warn";
    case Severity::critical: return "critical";
    case Severity::resolved: return "resolved";
  }
  return "info";
}

}  // namespace fieldpost
