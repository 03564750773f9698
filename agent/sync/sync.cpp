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
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    status.in_flight += lanes_[i].in_flight.size();
    status.last_error[i] = lanes_[i].last_error;
  }
  return status;
}

void Sync::link_changed(LinkState state) {
  for (auto& lane : lanes_) {
    if (state == LinkState::connected) {
      // The new connection may be to a broker that was mended; but not if the old one ended just because
      // of the refusal, as it does with AWS IoT: the other lanes would starve.
      if (loop_.clock().now() - lane.refused_at >= kRefusedPause) lane.pause.reset();
      continue;
    }
    lane.settling = true;
    if (lane.in_flight.empty()) forget(lane);
  }
  if (state != LinkState::connected) return;
  pause_.reset();
  pump();
}

void Sync::pump() {
  if (stopped_ || pause_ || !link_.connected()) return;
  for (auto& lane : lanes_) {
    if (lane.settling || lane.pause) continue;
    bool room = true;
    while (room && link_.window() > 0 && !lane.waiting.empty()) {
      if (lane.refusals > 0 && !lane.in_flight.empty()) break;
      // Writing a message costs far more than sending it: not again before there is room.
      room = lane.head_bytes <= link_.window_bytes() && send_next(lane);
    }
    if (lane.waiting.size() < kFetchSegments / 2) fetch(lane);
    // What a higher lane found no room for is not overtaken. One whose segments are on their way from
    // the disk goes first only if it is known to have some; the lower lanes use the window meanwhile.
    if (!room) return;
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
  if (!sent && sent.error().kind() == ErrorKind::OutOfRange) {
    lane.last_error = sent.error().sentence();
    lane.head_bytes = 0;
    give_up(lane, segment, Gap::Cause::oversize, sent.error());
    return true;
  }
  if (!sent) {  // the window's bytes are used up, or the link has just gone: the next change pumps
    lane.head_bytes = bytes;
    lane.waiting.emplace(row, std::move(segment));
    return false;
  }
  lane.head_bytes = 0;
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
    if (!lane.settling && !lane.pause) {
      if (std::exchange(lane.refusals, 0) > 0) log_.info("the broker takes a lane again", {{"lane", to_string(lane_name)}});
      lane.last_error.clear();
    }
  } else {
    ++status_.messages_failed;
    log_.debug("message not acknowledged",
               {{"lane", to_string(lane_name)}, {"seq", node.mapped().header.seq}, {"why", outcome.error().sentence()}});
    if (outcome.error().kind() == ErrorKind::Io) {
      lane.settling = true;
      lane.waiting.emplace(row, std::move(node.mapped()));
    } else {
      refused(lane, std::move(node.mapped()), outcome.error());
    }
  }
  // Order in a lane: after a failure nothing newer is sent until all that were on their way have
  // been acknowledged or are back.
  if (lane.settling && lane.in_flight.empty()) forget(lane);
  pump();
}

/// The broker does not want the message. What no operator can mend is given up;
/// the rest is kept and asked again, ever more seldom. The other lanes go on.
void Sync::refused(LaneState& lane, OutgoingSegment segment, const Error& why) {
  const bool told = lane.last_error == why.sentence();
  lane.last_error = why.sentence();
  if (why.kind() == ErrorKind::OutOfRange) {  // too large: says nothing about the next one
    give_up(lane, segment, Gap::Cause::oversize, why);
    return;
  }
  if (!told) log_.warn("the broker refuses a lane", {{"lane", to_string(lane.lane)}, {"why", why.sentence()}});
  if (why.kind() == ErrorKind::Malformed) {
    give_up(lane, segment, Gap::Cause::refused, why);
  } else {
    lane.waiting.emplace(segment.row, std::move(segment));
  }
  lane.settling = true;
  if (lane.pause) return;  // others of the same round
  // Also after giving up: a broker that refuses every payload must not turn a backlog into gaps at once.
  const milliseconds delay = std::min(kRefusedPause * (1U << std::min(lane.refusals, 6U)), kRefusedPauseMax);
  ++lane.refusals;
  lane.refused_at = loop_.clock().now();
  lane.pause = loop_.after(delay, [this, &lane] {
    lane.pause.reset();
    pump();
  });
}

/// What waits is fetched anew when its time comes: until then the store may drop it, by quota or age, and
/// reports a gap; sent all the same it would be there twice. Everything before it is acknowledged.
void Sync::forget(LaneState& lane) {
  lane.settling = false;
  lane.exhausted = false;
  lane.head_bytes = 0;
  lane.discard_fetch = lane.fetching;
  if (lane.waiting.empty()) return;
  lane.fetched_to = lane.waiting.begin()->first - 1;
  lane.waiting.clear();
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
  if (std::exchange(lane.discard_fetch, false)) return pump();
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
