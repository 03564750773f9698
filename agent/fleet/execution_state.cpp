// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/execution_state.hpp"

#include <iterator>

namespace fieldpost {
namespace {

/// In the order of the enum. The words are AWS's, but for the first.
constexpr std::string_view kNames[] = {"WAITING", "QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED"};

}  // namespace

std::string_view to_string(ExecutionState state) noexcept { return kNames[static_cast<std::size_t>(state)]; }

std::optional<ExecutionState> execution_state(std::string_view text) noexcept {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == text) return static_cast<ExecutionState>(i);
  }
  return std::nullopt;
}

bool device_may_move(ExecutionState from, ExecutionState to) noexcept {
  if (from != ExecutionState::queued && from != ExecutionState::in_progress) return false;
  return to >= ExecutionState::in_progress && to <= ExecutionState::rejected;
}

}  // namespace fieldpost
