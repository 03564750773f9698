// SPDX-License-Identifier: Apache-2.0
// Takes segments out of the store and to the broker: alerts first, then events, live and bulk, in the
// order of seq inside a lane. A segment leaves the store only when the broker has acknowledged it;
// whatever fails is sent again with the same seq. Nothing waits here that the store does not hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/link/link.hpp"
#include "agent/store/store.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

struct SyncOptions {
  std::string device;                      ///< goes into the topic and every message
  std::string topic_prefix = "fieldpost";  ///< {prefix}/{device}/{lane}
  std::size_t message_bytes_max = 128'000; ///< AWS IoT Core takes 128 KiB; longer ones become a gap
  std::int64_t bytes_per_second_max = 0;   ///< payload bytes; 0 = as fast as the link
};

struct SyncStatus {
  std::uint64_t messages_sent = 0;          ///< handed to the link, repeats included
  std::uint64_t messages_acknowledged = 0;
  std::uint64_t messages_failed = 0;        ///< refused, or the connection was lost before the acknowledgement
  std::uint64_t messages_given_up = 0;      ///< too long, unreadable or refused for good; reported as a gap
  std::uint64_t payload_bytes = 0;          ///< of messages_sent
  std::size_t in_flight = 0;
  /// Why the latest message of a lane was not taken; empty again once one is.
  std::array<std::string, kLanes.size()> last_error;
};

class Sync {
 public:
  /// References are lent and outlive it.
  Sync(EventLoop& loop, Log& log, Store& store, Link& link, SyncOptions options);

  /// Begins to listen to the store and the link.
  void start();

  /// Nothing new is sent any more; acknowledgements of what is in flight still count.
  void stop() { stopped_ = true; }

  SyncStatus status() const;

  /// Segments fetched ahead for one lane: enough to fill the window while the next are read.
  static constexpr std::size_t kFetchSegments = 16;
  static constexpr std::size_t kFetchBytesMax = 256U << 10U;
  /// A broker that refuses a lane while the connection stays up is asked again after this, and after
  /// twice as long each time it refuses again.
  static constexpr milliseconds kRefusedPause{5'000};
  static constexpr milliseconds kRefusedPauseMax{300'000};

 private:
  struct LaneState {
    Lane lane{};
    // By the store's row, which is the order of age also where a lost database began a new epoch.
    std::map<std::int64_t, OutgoingSegment> waiting;    ///< fetched
    std::map<std::int64_t, OutgoingSegment> in_flight;  ///< published, not yet acknowledged
    std::int64_t fetched_to = 0;   ///< the newest row that was fetched
    bool fetching = false;
    bool fetch_again = false;      ///< new segments became durable during a fetch
    bool exhausted = false;        ///< the last fetch found nothing more
    bool settling = false;         ///< one failed: let those in flight end before sending again
    bool discard_fetch = false;    ///< the fetch under way began before forget()
    unsigned refusals = 0;         ///< in a row; while there are any, one message at a time asks
    Subscription pause;            ///< until the broker is asked again
    BootTime refused_at{};         ///< when the latest pause began
    std::string last_error;
    std::size_t head_bytes = 0;    ///< of the oldest that waits, where the window had no room for it
  };

  LaneState& state_of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  void link_changed(LinkState state);
  void pump();
  bool send_next(LaneState& lane);
  bool send(LaneState& lane, OutgoingSegment segment);
  void give_up(LaneState& lane, const OutgoingSegment& segment, Gap::Cause cause, const Error& why);
  void finished(Lane lane, std::int64_t row, const Result<void>& outcome);
  void refused(LaneState& lane, OutgoingSegment segment, const Error& why);
  static void forget(LaneState& lane);
  void fetch(LaneState& lane);
  void fetched(Lane lane, std::vector<OutgoingSegment> segments);
  void pause(nanoseconds delay);
  bool inside_byte_rate(std::size_t bytes);

  EventLoop& loop_;
  Log& log_;
  Store& store_;
  Link& link_;
  SyncOptions options_;
  std::array<LaneState, kLanes.size()> lanes_;
  SyncStatus status_;
  std::int64_t rate_bytes_left_ = 0;
  BootTime rate_since_;
  Subscription pause_;
  bool stopped_ = false;
};

}  // namespace fieldpost
