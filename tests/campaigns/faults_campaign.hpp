// SPDX-License-Identifier: Apache-2.0
// The n-th call that a store makes of the system fails, and the n-th allocation, for every n on the path from
// a reading to its acknowledgement: opening, committing, pulling, acknowledging, writing the log back,
// closing, and opening again. Once, from there on, and for all calls of the kind; until the fault ends. After
// it everything that was taken is handed out under one number, and what was said to be durable survives a
// power cut in the midst of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/campaigns/program.hpp"

namespace fieldpost {

/// What is broken on purpose, to see the checker fail.
enum class FaultsBreak : std::uint8_t {
  nothing,
  early_promise,  ///< what was given to a commit counts as durable also where it failed
  forgetful,      ///< what a commit failed with is not tried again
};

struct FaultsOptions {
  std::uint64_t seed = 1;
  std::uint64_t count = 0;  ///< trials, picked at random from all there are; 0: all of them
  std::uint64_t part = 0;   ///< of `parts` that share the work
  std::uint64_t parts = 1;
  std::string only{};  ///< trials whose names, as in a violation, begin so
  FaultsBreak broken = FaultsBreak::nothing;
  std::size_t violations_max = 20;  ///< it ends there
  Told told{};
};

struct FaultsFigures {
  std::uint64_t calls = 0;          ///< of the system on the path
  std::uint64_t c_allocations = 0;  ///< of SQLite and zstd on it
  std::uint64_t allocations = 0;    ///< by operator new on it
  std::uint64_t trials = 0;
  std::uint64_t failed_commits = 0;
  std::uint64_t attempts_max = 0;   ///< commits from the end of the fault to the first that succeeded
  std::uint64_t samples = 0;        ///< handed out, checked to the bit
  std::uint64_t lost_and_told = 0;  ///< where blocks cannot be read for ever
  std::uint64_t set_aside = 0;
  std::uint64_t deaths = 0;  ///< of the process for want of memory
  std::uint64_t cut = 0;     ///< power cuts in the midst of a fault, what was durable before them is there
  std::vector<std::string> violations;
};

FaultsFigures run_faults(const FaultsOptions& options);

}  // namespace fieldpost
