// SPDX-License-Identifier: Apache-2.0
// How the store is configured, and where a test may put its own ground under it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/store/marks.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

struct StoreOptions {
  std::string directory = "/var/lib/fieldpost";  ///< outbox.db and state.db; made if its parent is there
  std::int64_t quota_bytes = 256LL << 20;        ///< of outbox.db, WAL included
  seconds age_max{std::chrono::days{30}};        ///< older segments are dropped; 0: never
  milliseconds flush_interval{10'000};           ///< promise P1; alerts go at once
  std::int64_t flash_bytes_per_day = 0;          ///< written to the disk, about; 0: as much as it takes
  milliseconds flush_interval_max{300'000};      ///< to which flush_interval is stretched to keep to that; alerts go at once
  std::size_t memory_bytes_max = 4U << 20U;      ///< readings waiting for a disk that does not answer
  std::size_t message_bytes_max = 117U << 10U;   ///< a segment is closed before its JSON exceeds this
  LaneShares lane_percent = kLaneShares;         ///< of the quota
  std::uint64_t merge_segments_min = 64;         ///< of a lane, new, before merging is thought about
  milliseconds thin_window{60'000};              ///< what the oldest samples of bulk and live become before anything is dropped; 0: dropped at once
};

/// The edge to the disk. Tests cut the power under it; the agent takes the default.
struct StoreGround {
  std::string vfs;  ///< SQLite's file layer by name; empty: the platform's
  std::function<std::unique_ptr<MarkStorage>(const std::string& path)> marks = make_mark_file;
};

}  // namespace fieldpost
