// SPDX-License-Identifier: Apache-2.0
// Other ways to keep the same samples: rows in SQLite, and bytes appended to a file.
#pragma once

#include <cstdint>

#include "tests/bench/cost.hpp"

namespace fieldpost {

struct PeerFigures {
  std::uint64_t samples = 0;
  std::int64_t file_bytes = 0;
  std::int64_t written = 0;  ///< to storage, the final checkpoint included; -1: not known
  Seconds cpu{};             ///< to durable
};

/// One row a sample (series, time, value), no index; WAL and synchronous=FULL as ours.
PeerFigures rows_in_sqlite(double changing, std::uint64_t samples, int rows_a_commit);

/// The same samples as 20 raw bytes each, appended and synced once a flush: the least that can be done.
PeerFigures raw_append(double changing, std::uint64_t samples);

}  // namespace fieldpost
