// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/execution_state.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using enum ExecutionState;
constexpr ExecutionState kAll[] = {waiting, queued, in_progress, succeeded, failed, rejected, timed_out, canceled};

TEST(ExecutionState, ADeviceMovesOnlyWhatItKnowsAndOnlyWhereItMay) {
  for (const ExecutionState from : kAll) {
    for (const ExecutionState to : kAll) {
      const bool is_known = from == queued || from == in_progress;
      const bool may_report = to == in_progress || to == succeeded || to == failed || to == rejected;
      EXPECT_EQ(device_may_move(from, to), is_known && may_report) << to_string(from) << " to " << to_string(to);
    }
  }
}

TEST(ExecutionState, NamesReadBack) {
  for (const ExecutionState state : kAll) EXPECT_EQ(execution_state(to_string(state)), state);
  EXPECT_FALSE(execution_state("REMOVED"));
  EXPECT_FALSE(execution_state("queued"));
}

TEST(ExecutionState, FiveAreFinal) {
  int final_states = 0;
  for (const ExecutionState state : kAll) final_states += is_final(state) ? 1 : 0;
  EXPECT_EQ(final_states, 5);
  EXPECT_FALSE(is_final(in_progress));
}

}  // namespace
}  // namespace fieldpost
