// SPDX-License-Identifier: Apache-2.0
// The pump between store and link. All state lives on the event loop; fetches and publishes come back
// as callbacks, and each of them pumps again.
#include "agent/sync/sync.hpp"

#include <algorithm>
#include <utility>

#include "agent/sync/message_json.hpp"

namespace fieldpost {

Sync::Sync(EventLoop& loop, Log& log, Store& store, Link& link, SyncOptions options)
    : loop_{loop}, log_{log}, store_{store}, link_{link}, options_{std::move(options)} {
  for (const Lane lane : kLanes) state_of(lane).lane = lane;
  rate_bytes_left_ = options_.bytes_per_second_max;
  rate_since_ = loop_.clock().now();
}

void Sync::start() {
  store_.on_durable([this](Lane lane) {
    LaneState& state = state_of(lane);
    state.exhausted = false;
    if (state.fetching) state.fetch_again = true;
    pump();
  });
  link_.on_change([this](LinkState state) { link_changed(state); });
  pump();
}

SyncStatus Sync::status() const {
  SyncStatus status = status_;
  for (const auto& lane : lanes_) status.in_flight += lane.in_flight.size();
  return status;
}

void Sync::link_changed(LinkState state) {
  if (state != LinkState::connected) return;
  pause_.reset();
  pump();
}

void Sync::pump() {
  if (stopped_ || pause_ || !link_.connected()) return;
  for (auto& lane : lanes_) {
    while (!lane.settling && link_.window() > 0 && !lane.waiting.empty()) {
      if (!send_next(lane)) break;
    }
    if (lane.waiting.size() < kFetchSegments / 2) fetch(lane);
    // A higher lane whose segments are on their way from the disk goes first only if it is known to
    // have some; the lower lanes use the window meanwhile.
    if (pause_) return;
  }
}

/// False when nothing more can be sent now.
bool Sync::send_next(LaneState& lane) {
  auto node = lane.waiting.extract(lane.waiting.begin());
  return send(lane, std::move(node.mapped()));
}

bool Sync::send(LaneState& lane, OutgoingSegment segment) {
  const SegmentHeader& header = segment.header;
  auto content = decode_segment_content(segment.bytes);
  if (!content) {
    give_up(lane, segment, Gap::Cause::damage, content.error());
    return true;
  }
  const auto utc_of = [this](const BootId& boot, BootTime time) { return store_.utc_of(boot, time); };
  auto payload =
      to_json_message(options_.device, header, *content, utc_of, options_.message_bytes_max);
  if (!payload) {
    give_up(lane, segment, Gap::Cause::oversize, payload.error());
    return true;
  }
  const std::int64_t row = segment.row;
  const std::size_t bytes = payload->size();
  if (!inside_byte_rate(bytes)) {
    lane.waiting.emplace(row, std::move(segment));
    return false;
  }
  Link::Message message;
  message.topic = options_.topic_prefix + "/" + options_.device + "/";
  message.topic += to_string(lane.lane);
  message.payload = std::move(*payload);
  message.content_type = "application/json";
  const auto sent =
      link_.publish(std::move(message), [this, lane_name = lane.lane, row](const Result<void>& outcome) {
        finished(lane_name, row, outcome);
      });
  if (!sent) {  // the window's bytes are used up, or the link has just gone: the next change pumps
    lane.waiting.emplace(row, std::move(segment));
    return false;
  }
  ++status_.messages_sent;
  status_.payload_bytes += bytes;
  lane.in_flight.emplace(row, std::move(segment));
  return true;
}

void Sync::give_up(LaneState& lane, const OutgoingSegment& segment, Gap::Cause cause,
                   const Error& why) {
  ++status_.messages_given_up;
  log_.warn("segment given up", {{"lane", to_string(lane.lane)},
                                 {"seq", segment.header.seq},
                                 {"cause", to_string(cause)},
                                 {"why", why.sentence()}});
  store_.give_up(segment, cause);
}

void Sync::finished(Lane lane_name, std::int64_t row, const Result<void>& outcome) {
  LaneState& lane = state_of(lane_name);
  auto node = lane.in_flight.extract(row);
  if (node.empty()) return;
  if (outcome) {
    ++status_.messages_acknowledged;
    store_.acknowledge(node.mapped());
  } else {
    ++status_.messages_failed;
    log_.debug("message not acknowledged",
               {{"lane", to_string(lane_name)}, {"seq", node.mapped().header.seq}, {"why", outcome.error().sentence()}});
    lane.waiting.emplace(row, std::move(node.mapped()));
    lane.settling = true;
    if (link_.connected()) pause(kRefusedPause);
  }
  // Order in a lane: after a failure nothing newer is sent until all that were on their way have
  // been acknowledged or are back.
  if (lane.in_flight.empty()) lane.settling = false;
  pump();
}

void Sync::fetch(LaneState& lane) {
  if (lane.fetching || lane.exhausted) return;
  lane.fetching = true;
  lane.fetch_again = false;
  store_.fetch(lane.lane, lane.fetched_to, kFetchSegments, kFetchBytesMax,
               [this, lane_name = lane.lane](std::vector<OutgoingSegment> segments) {
                 fetched(lane_name, std::move(segments));
               });
}

void Sync::fetched(Lane lane_name, std::vector<OutgoingSegment> segments) {
  LaneState& lane = state_of(lane_name);
  lane.fetching = false;
  lane.exhausted = segments.empty() && !std::exchange(lane.fetch_again, false);
  for (auto& segment : segments) {
    const std::int64_t row = segment.row;
    if (row <= lane.fetched_to) continue;
    lane.fetched_to = row;
    lane.waiting.emplace(row, std::move(segment));
  }
  if (!lane.exhausted) pump();
}

void Sync::pause(nanoseconds delay) {
  pause_ = loop_.after(delay, [this] {
    pause_.reset();
    pump();
  });
}

/// A bucket of one second's bytes, filled as time passes; it may be overdrawn by one message, so that
/// a message larger than the bucket is sent all the same.
bool Sync::inside_byte_rate(std::size_t bytes) {
  const std::int64_t rate = options_.bytes_per_second_max;
  if (rate == 0) return true;
  const BootTime now = loop_.clock().now();
  const double passed = std::chrono::duration<double>(now - rate_since_).count();
  rate_since_ = now;
  const double filled = static_cast<double>(rate_bytes_left_) + passed * static_cast<double>(rate);
  rate_bytes_left_ = static_cast<std::int64_t>(std::min(filled, static_cast<double>(rate)));
  if (rate_bytes_left_ <= 0) {
    const double wait = static_cast<double>(1 - rate_bytes_left_) / static_cast<double>(rate);
    pause(std::chrono::ceil<nanoseconds>(std::chrono::duration<double>(wait)));
    return false;
  }
  rate_bytes_left_ -= static_cast<std::int64_t>(bytes);
  return true;
}

}  // namespace fieldpost
