// SPDX-License-Identifier: Apache-2.0
// Cuts the power of a store again and again: lives of random work on a disk in memory, each ended by a cut at
// a random change of the disk, several readings of what that cut may have left, and a ledger that knows what
// must be there. Every life goes on from one of these disks, so that recovery is cut as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/campaigns/program.hpp"

namespace fieldpost {

/// What is broken on purpose, to see the checker fail.
enum class CutsBreak : std::uint8_t {
  nothing,
  no_sync,          ///< every sync is answered and none is done, as with synchronous=OFF
  early_promise,    ///< readings are called durable before they were committed
  early_delete,     ///< segments are deleted when they are sent, not when they are acknowledged
  late_marks,       ///< the marks beside the database are written after the numbers they guard were used
  forgets_handed_out,  ///< what an earlier process handed out is forgotten, so that it is merged under another number
};

struct CutsOptions {
  std::uint64_t seed = 1;
  std::uint64_t cuts = 10'000;
  std::uint64_t chain = 0;         ///< only the history that a violation named; 0: as many as it takes
  unsigned lies_per_thousand = 0;  ///< syncs that the disk answers and ignores; losses are counted then
  /// Bytes of the database go bad and older copies of it are put back, between lives and cuts: what is lost by
  /// it must be told, and is counted; no number may be used twice.
  bool damages = false;
  std::uint64_t pressure_one_in = 20;  ///< disks whose quota is too small for what comes; they cost ten times as much
  CutsBreak broken = CutsBreak::nothing;
  std::size_t violations_max = 20;  ///< it ends there
  Told told{};
};

struct CutsFigures {
  std::uint64_t cuts = 0;      ///< disks left by a cut that were opened and checked
  std::uint64_t lives = 0;
  std::uint64_t commits = 0;
  std::uint64_t samples = 0;   ///< that became durable
  std::uint64_t acknowledged = 0;
  std::uint64_t dropped = 0;   ///< by quota, each told by a gap; or thinned
  std::uint64_t handed_out = 0;  ///< segments
  std::uint64_t salvaged = 0;    ///< segments brought back out of databases set aside
  std::uint64_t merged = 0;      ///< segments that became fewer
  std::uint64_t thinned = 0;     ///< samples that became summaries, each told by a gap
  std::uint64_t lost = 0;      ///< durable and neither there nor told nor acknowledged: with lies and damage only
  std::uint64_t lost_told = 0; ///< of a damaged or lying disk, within a gap that says so
  std::uint64_t set_aside = 0;
  std::uint64_t epochs = 0;    ///< begun beyond the first of each disk
  std::uint64_t reused = 0;    ///< numbers used twice for different content: with lies only
  std::uint64_t lies = 0;
  std::vector<std::string> violations;
};

CutsFigures run_cuts(const CutsOptions& options);

}  // namespace fieldpost
