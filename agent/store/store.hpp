// SPDX-License-Identifier: Apache-2.0
// The store as the event loop sees it: readings go in, segments come out and are acknowledged. The
// database work runs on a worker; nothing here blocks. What cannot be kept is dropped by rule,
// counted and reported as a gap.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/aggregate/reading.hpp"
#include "agent/store/lane.hpp"
#include "agent/store/segment.hpp"
#include "agent/store/store_options.hpp"
#include "hal/event.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

/// What `status`, /metrics and the self series show.
struct StoreStatus {
  bool disk_ok = false;
  std::string disk_error;  ///< empty when disk_ok
  Epoch epoch = 0;
  std::uint64_t newest_seq = 0;        ///< durable
  std::uint64_t newest_acknowledged_seq = 0;
  std::int64_t newest_row = 0;         ///< durable, over all lanes; 0 while the disk does not answer
  std::int64_t file_bytes = 0;         ///< of outbox.db, without its free pages
  std::size_t memory_bytes = 0;        ///< readings not yet durable
  std::uint64_t memory_readings = 0;
  /// Age of the oldest reading when the latest commit made it durable, or of one that waits longer already:
  /// what promise P1 bounds by the flush interval and one commit.
  nanoseconds durable_delay{0};
  std::array<std::uint64_t, kLanes.size()> waiting_segments{};
  std::array<std::uint64_t, kLanes.size()> waiting_readings{};
  std::array<std::uint64_t, kLanes.size()> dropped_readings{};  ///< since start
  std::uint64_t thinned_readings = 0;       ///< since start; became summaries for want of room
  std::uint64_t merged_segments = 0;        ///< since start; became fewer, with all that was in them
  std::uint64_t durable_readings = 0;       ///< since start
  std::uint64_t acknowledged_readings = 0;  ///< since start
  std::uint64_t commits = 0;
  std::uint64_t body_bytes = 0;  ///< segment bytes committed since start
  std::int64_t written_bytes = 0;  ///< to the disk since start, logs and marks included; rather more than less
  bool is_salvaging = false;       ///< what is whole in an outbox that was set aside is being brought back
  std::uint64_t salvaged_segments = 0;  ///< so far, or by the latest
  std::uint64_t salvaged_readings = 0;
  nanoseconds flush_interval{0};   ///< what promise P1 says now: longer than configured while the write budget is short
};

/// A segment handed out for sending.
struct OutgoingSegment {
  std::int64_t row = 0;  ///< grows with age within a lane, over epochs; not the same after a restart
  SegmentHeader header;
  std::vector<std::byte> bytes;  ///< whole, CRC checked
};

class Store {
 public:
  /// Opens (or makes, or sets aside and makes anew) both databases on the worker; readings may be
  /// added at once and wait in memory. Never fails: a disk that cannot be used is worked around,
  /// shown in status() and tried again with back-off (promise P4).
  /// `loop`, `log` and `table` are lent and outlive the store.
  Store(EventLoop& loop, Log& log, const SeriesTable& table, StoreOptions options, StoreGround ground = {});
  /// Without close() what waits in memory is lost.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void add(Lane lane, const Sample& sample);
  void add(Lane lane, const Summary& summary);
  /// Warn, critical and resolved go to the alert lane and are committed at once; info to the event lane.
  void add(const Event& event);

  /// Commits what waits in memory, now. `done` runs when it is durable or has failed.
  void flush(std::function<void(Result<void>)> done = {});

  /// What was handed out is not dropped until it is acknowledged, given up or released.
  ///
  /// Up to `count` segments of `lane` beyond row `after` (0: from the oldest), oldest first, at most
  /// `bytes_max` in all (but at least one). Segments whose CRC is wrong are turned into gaps and not handed
  /// out. Nothing while the disk does not answer; on_durable() tells when it does again. Segments of an
  /// earlier epoch come before those of the present one.
  void fetch(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
             std::function<void(std::vector<OutgoingSegment>)> done);

  /// Deletes segments that the broker has acknowledged: with the next commit, or after a second.
  void acknowledge(const OutgoingSegment& segment);
  /// It leaves the device now: the broker may have it, whatever becomes of the connection. Until it is acknowledged or given
  /// up, or the process ends, it is not dropped, for a gap would tell lost what has arrived; release() does not change that.
  void sent(const OutgoingSegment& segment);
  /// Nothing of the lane that was handed out and not sent will be sent before it is fetched anew.
  void release(Lane lane);
  /// Drops a segment that can never be sent, as a gap.
  void give_up(const OutgoingSegment& segment, Gap::Cause cause);

  /// Runs whenever new segments became durable, or a lane has become readable again, so that sync need
  /// not poll.
  void on_durable(std::function<void(Lane)> listener);
  /// Runs when segments have come back out of an outbox that was set aside: their rows lie before those handed out so far.
  void on_salvaged(std::function<void()> listener);

  /// UTC of a boot-time stamp of any boot the store knows, with its error bound; see boot_table.hpp.
  struct UtcStamp {
    UtcTime time;
    nanoseconds error_bound{};
    bool trusted = false;
  };
  std::optional<UtcStamp> utc_of(const BootId& boot, BootTime time) const;

  StoreStatus status() const;

  /// Flushes, commits acknowledgements and closes. Blocks: up to the disk; for an orderly stop.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldpost
