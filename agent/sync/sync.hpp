// SPDX-License-Identifier: Apache-2.0
// Takes segments out of the store and to the broker: alerts first, then events, the newest live readings,
// the backlog of live ones, and bulk. A segment leaves the store only when the broker has acknowledged it;
// whatever fails is sent again with the same seq. Nothing waits here that the store does not hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/link/link.hpp"
#include "agent/store/store.hpp"
#include "agent/sync/byte_budget.hpp"
#include "agent/sync/kept_text.hpp"
#include "agent/sync/payload.hpp"
#include "agent/sync/sparkplug_session.hpp"
#include "agent/sync/suspicion.hpp"
#include "agent/sync/sync_options.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

struct SyncStatus {
  std::uint64_t messages_sent = 0;          ///< handed to the link, repeats included
  std::uint64_t messages_acknowledged = 0;
  std::uint64_t messages_failed = 0;        ///< refused, or the connection was lost before the acknowledgement
  std::uint64_t messages_given_up = 0;      ///< too long, unreadable or refused for good; reported as a gap
  std::uint64_t payload_bytes = 0;          ///< of messages_sent
  std::size_t in_flight = 0;
  std::int64_t day_bytes_max = 0;           ///< 0: no limit
  std::int64_t day_bytes = 0;
  nanoseconds day_resets_in{};
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
  /// Blocks: for a write to the disk, where there is a limit of the day
  void stop();

  /// After stop(): the broker has not taken our last word yet. Worth a moment's wait before the link is stopped.
  bool is_leaving() const { return sparkplug_ && sparkplug_->is_leaving(); }

  SyncStatus status() const;

  /// Segments fetched ahead for one queue: enough to fill the window while the next are read.
  static constexpr std::size_t kFetchSegments = 16;
  static constexpr std::size_t kFetchBytesMax = 256U << 10U;
  /// A broker that refuses a lane while the connection stays up is asked again after this, and after
  /// twice as long each time it refuses again.
  static constexpr milliseconds kRefusedPause{5'000};
  static constexpr milliseconds kRefusedPauseMax{300'000};
  /// What a message costs the network beside topic and payload: headers of MQTT, TLS, TCP and IP, and its PUBACK.
  static constexpr std::size_t kMessageOverhead = 160;
  /// The day's account is written when it has grown by a twentieth, and after so long if it has grown at all.
  static constexpr seconds kKeepBudgetEvery{600};

 private:
  struct InFlight {
    OutgoingSegment segment;
    std::size_t bytes = 0;  ///< of the message
    BootTime published;
    std::size_t unanswered = 0;  ///< messages: most segments are one, some need several (Payload::further)
    Result<void> outcome;        ///< the first failure of them
  };
  /// What is sent in the order of rows. A lane is one, but live is two: what became durable over this connection
  /// goes before what waited when it was made (README: newest first).
  struct Queue {
    Lane lane{};
    // By the store's row, which is the order of age also where a lost database began a new epoch.
    std::map<std::int64_t, OutgoingSegment> waiting;  ///< fetched
    std::map<std::int64_t, InFlight> in_flight;       ///< published, not yet acknowledged
    std::int64_t fetched_to = 0;   ///< the newest row that was fetched
    std::int64_t row_max = std::numeric_limits<std::int64_t>::max();  ///< the newest row that belongs here
    bool fetching = false;
    bool fetch_again = false;      ///< new segments became durable during a fetch
    bool exhausted = false;        ///< the last fetch found nothing more
    bool has_more = false;         ///< it found as many as it may: there are others, as a rule
    bool settling = false;         ///< one failed: let those in flight end before sending again
    bool discard_fetch = false;    ///< the fetch under way began before forget()
    unsigned refusals = 0;         ///< in a row; while there are any, one message at a time asks
    Subscription pause;            ///< until the broker is asked again
    BootTime refused_at{};         ///< when the latest pause began
    bool pause_due = false;        ///< blamed for the end of the connection: on the next one the others go first
    Suspicion suspicion;           ///< that a message of it is what ends the connections
    std::uint64_t acknowledged_before = 0;  ///< by any queue, when it was blamed last
    std::int64_t too_large_row = 0;  ///< proved to be; 0: none
    std::string last_error;
    std::size_t head_bytes = 0;    ///< of the oldest that waits, where the window had no room for it
    std::deque<std::string> parts;  ///< messages not yet sent of the segment that was begun last
    std::int64_t parts_row = 0;
    std::string_view parts_type;    ///< of their content

    bool suspect() const { return suspicion.grave() && !pause; }
  };
  enum Place : std::uint8_t { kAlert, kEvent, kLiveNewest, kLiveBacklog, kBulk, kPlaces };  // in order of precedence
  struct Lost {
    std::size_t messages = 0;
    std::array<std::int64_t, kPlaces> oldest_row{};  ///< 0: none of that queue
    std::size_t bytes = 0;  ///< of the latest
    BootTime published;     ///< the latest
  };

  void connection_made();
  void connection_ended();
  void begin_backlog();
  void pump();
  bool pump_queue(Queue& queue, bool carefully);
  bool send_next(Queue& queue);
  bool send(Queue& queue, OutgoingSegment segment);
  bool send_part(Queue& queue);
  void drop_parts(Queue& queue);
  Result<Payload> write(const Queue& queue, const OutgoingSegment& segment);
  Result<void> publish(Queue& queue, std::int64_t row, std::string payload, std::string_view content_type);
  bool born();
  void give_up(const Queue& queue, const OutgoingSegment& segment, Gap::Cause cause, const Error& why);
  void finished(Queue& queue, std::int64_t row, const Result<void>& outcome);
  void conclude(Queue& queue, std::int64_t row);
  void acknowledged(Queue& queue, const InFlight& message);
  void lost(Queue& queue, InFlight message);
  void refused(Queue& queue, OutgoingSegment segment, const Error& why);
  void blame(Queue& queue, const Lost& lost);
  void say_held_back(Queue& queue, std::string_view phrase, const std::string& why);
  void hold_back(Queue& queue);
  void forget(Queue& queue);
  void look_back();
  void fetch(Queue& queue);
  void fetched(Queue& queue, std::vector<OutgoingSegment> segments);
  static Link::Urgency urgency_of(const Queue& queue);
  ByteBudget::Claim claim_of(const Queue& queue) const;
  bool within_budget(const Queue& queue);
  void spend(std::size_t bytes);
  void keep_budget();
  std::size_t in_flight() const;

  EventLoop& loop_;
  Log& log_;
  Store& store_;
  Link& link_;
  SyncOptions options_;
  std::array<Queue, kPlaces> queues_;
  Lost lost_;               ///< of the connection that has just ended
  bool blamed_ = false;     ///< it ended because of a message that we know
  bool backlog_begun_ = false;  ///< false until the store could tell its newest row
  std::array<LanePassage, kLanes.size()> passed_;
  SyncStatus status_;
  std::optional<SparkplugSession> sparkplug_;  ///< where the payload is Sparkplug B
  ByteBudget budget_;
  KeptText budget_file_;                   ///< where there is a limit of the day
  std::int64_t budget_kept_ = 0;           ///< bytes of the day when it was written last
  Subscription keep_timer_;
  Subscription budget_timer_;              ///< the next queue may go on
  std::optional<BootTime> live_waits_since_;  ///< for the budget, which gives nothing to the backlog either meanwhile
  bool stopped_ = false;
};

}  // namespace fieldpost
