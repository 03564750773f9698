// SPDX-License-Identifier: Apache-2.0
// Something that happened once and that a person may want to know at once: a link went down,
// a threshold was crossed, readings had to be dropped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hal/series.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

enum class Severity : std::uint8_t { info, warn, critical, resolved };

std::string_view to_string(Severity severity) noexcept;

struct Event {
  static constexpr std::size_t kMessageBytesMax = 1024;

  std::string name;           ///< the rule's or condition's name: "cpu_hot", "source_failed"
  std::vector<Label> labels;  ///< of the series it is about; empty if it is about the agent
  Severity severity = Severity::info;
  BootTime time;
  double value = 0;     ///< the value that caused it; NaN if there is none
  std::string message;  ///< one sentence for people, at most kMessageBytesMax bytes
};

}  // namespace fieldpost
