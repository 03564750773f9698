// SPDX-License-Identifier: Apache-2.0
// Trials of promise P5 with the real store and a clock moved by hand: boards that start in 1970, ten years off, late NTP, steps
// there and back, NTP that lies, NTP that goes. A world keeps the true time beside; what a message would say of each reading
// is held against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/campaigns/program.hpp"

namespace fieldpost {

/// What is broken on purpose, to see the checker fail.
enum class ClocksBreak : std::uint8_t {
  nothing,
  believe,         ///< every wall clock is taken for synchronised
  stamp_at_once,   ///< UTC is computed when a reading is taken, not when it is sent
  no_drift,        ///< the error told forgets that a free-running clock drifts
  forget_floor,    ///< the store comes up without what it knew of the time
};

struct ClocksOptions {
  std::uint64_t seed = 1;
  std::uint64_t scenes = 1'000;
  ClocksBreak broken = ClocksBreak::nothing;
  Told told{};
};

struct ClocksFigures {
  std::uint64_t scenes = 0;
  std::uint64_t boots = 0;
  std::uint64_t steps = 0;           ///< of the wall clock
  std::uint64_t sent = 0;
  std::uint64_t sent_trusted = 0;
  std::uint64_t sent_untrusted = 0;  ///< the time was not known yet
  std::uint64_t bracketed = 0;       ///< of these, put between two boots with a known width
  std::uint64_t corrected = 0;       ///< taken before the time was known, sent after
  double corrected_worst_ms = 0;
  std::uint64_t lied_to = 0;         ///< sent while NTP lied: nothing can tell
  std::vector<std::string> violations;  ///< the first few, each with the scene's seed
};

ClocksFigures run_clocks(const ClocksOptions& options);

}  // namespace fieldpost
