// SPDX-License-Identifier: Apache-2.0
// Damages the files of a store as a kill leaves them, one place at a time: every byte, every length, every
// bit of the small ones, blocks of garbage, pages that changed places, and files that are something else.
// After each the store starts, hands out nothing that was not stored so, uses no number twice, tells what is
// missing, and takes and gives new readings.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/campaigns/program.hpp"

namespace fieldpost {

/// What is broken on purpose, to see the checker fail.
enum class DamageBreak : std::uint8_t {
  nothing,
  no_crc,    ///< a segment's CRC is made right again after the damage, as if nobody checked it
  no_marks,  ///< the marks beside the database are two commits old, as if nobody wrote them
  no_gaps,   ///< what gaps tell is not heard
  half_salvaged,  ///< only the first half of an outbox set aside can be salvaged, as if that ended too soon
};

struct DamageOptions {
  std::uint64_t seed = 1;
  std::uint64_t count = 0;  ///< trials, picked at random from all there are; 0: all of them
  std::uint64_t part = 0;   ///< of `parts` that share the work
  std::uint64_t parts = 1;
  std::string only{};            ///< trials whose names, as in a violation, begin so
  bool is_written_back = false;  ///< all of the log was written back into the database before the kill
  DamageBreak broken = DamageBreak::nothing;
  std::size_t violations_max = 20;  ///< it ends there
  Told told{};
};

struct DamageFigures {
  std::uint64_t trials = 0;
  std::uint64_t bytes = 0;         ///< of all files before the damage
  std::uint64_t calls_max = 0;     ///< of the file layer, from opening to the first commit and pull
  std::uint64_t cpu_max_us = 0;    ///< likewise
  std::uint64_t attempts_max = 0;  ///< commits until the first that succeeded
  std::uint64_t set_aside = 0;
  std::uint64_t salvaged = 0;  ///< segments brought back out of outboxes set aside
  std::uint64_t new_epochs = 0;
  std::uint64_t handed_out = 0;  ///< samples of before the damage, checked to the bit
  std::uint64_t lost = 0;
  std::uint64_t untold = 0;  ///< of these, no gap tells
  std::uint64_t reports_lost =
      0;  ///< readings that were dropped by rule before, and whose report went with the damage
  std::uint64_t unnamed = 0;     ///< told as a count of their lane, without their numbers
  std::uint64_t miscounted = 0;  ///< by so many readings gaps tell of fewer or more than are lost
  std::uint64_t returned = 0;    ///< segments sent once more, under their number
  /// Where readings were lost untold: "kind file" -> trials, readings, and the first such trial.
  struct Untold {
    std::uint64_t trials = 0;
    std::uint64_t readings = 0;
    std::string first;
  };
  std::map<std::string, Untold> untold_by_place;
  std::vector<std::string> violations;
};

DamageFigures run_damage(const DamageOptions& options);

}  // namespace fieldpost
