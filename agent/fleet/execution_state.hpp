// SPDX-License-Identifier: Apache-2.0
// States of one job on one device, and who may move it where (AWS IoT Jobs). WAITING is ours: the rollout has not come
// to this device, which knows nothing of the job.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fieldpost {

enum class ExecutionState : std::uint8_t { waiting, queued, in_progress, succeeded, failed, rejected, timed_out, canceled };

std::string_view to_string(ExecutionState state) noexcept;
std::optional<ExecutionState> execution_state(std::string_view text) noexcept;

constexpr bool is_final(ExecutionState state) noexcept { return state >= ExecutionState::succeeded; }

/// Whether a device may report `to` of an execution that is in `from`.
bool device_may_move(ExecutionState from, ExecutionState to) noexcept;

}  // namespace fieldpost
