// SPDX-License-Identifier: Apache-2.0
// The pump between store and link. All state lives on the event loop; fetches and publishes come back
// as callbacks, and each of them pumps again.
#include "agent/sync/sync.hpp"

#include <algorithm>
#include <utility>

#include "agent/sync/payload.hpp"
namespace fieldpost {

Sync::Sync(EventLoop& loop, Log& log, Store& store, Link& link, SyncOptions options)
    : loop_{loop}, log_{log}, store_{store}, link_{link}, options_{std::move(options)}, budget_{loop_.clock(), options_.limits},
      budget_file_{loop_, log_, options_.limits.per_day == 0 ? std::string{} : options_.budget_file} {
  constexpr std::array<Lane, kPlaces> kLaneOf{Lane::alert, Lane::event, Lane::live, Lane::live, Lane::bulk};
  for (std::size_t place = 0; place < kPlaces; ++place) queues_[place].lane = kLaneOf[place];
  queues_[kLiveBacklog].row_max = 0;
  if (options_.payload.format == PayloadOptions::Format::sparkplug_b) {
    sparkplug_.emplace(loop_, log_, link_, options_.sparkplug, options_.device, [this] { pump(); });
  }
  budget_.restore(budget_file_.read());
  budget_kept_ = budget_.used_today();
}

void Sync::start() {
  store_.on_durable([this](Lane lane) {
    if (!backlog_begun_ && link_.connected()) begin_backlog();
    for (auto& queue : queues_) {
      if (queue.lane != lane || queue.fetched_to >= queue.row_max) continue;
      queue.exhausted = false;
      if (queue.fetching) queue.fetch_again = true;
    }
    pump();
  });
  store_.on_salvaged([this] { look_back(); });
  if (sparkplug_) sparkplug_->start();
  link_.on_room([this] { pump(); });
  link_.on_change([this](LinkState state) { state == LinkState::connected ? connection_made() : connection_ended(); });
  pump();
}

void Sync::stop() {
  stopped_ = true;
  if (sparkplug_) sparkplug_->stop();
  keep_budget();
  budget_file_.stop();
}

SyncStatus Sync::status() const {
  SyncStatus status = status_;
  status.in_flight = in_flight();
  status.day_bytes_max = options_.limits.per_day;
  status.day_bytes = budget_.used_today();
  status.day_resets_in = budget_.resets_in();
  for (const auto& queue : queues_) {
    std::string& told = status.last_error[static_cast<std::size_t>(queue.lane)];
    if (told.empty()) told = queue.last_error;
    if (told.empty() && sparkplug_) told = sparkplug_->last_error();
  }
  return status;
}

std::size_t Sync::in_flight() const {
  std::size_t count = 0;
  for (const auto& queue : queues_) count += queue.in_flight.size();
  return count;
}

void Sync::connection_made() {
  for (auto& queue : queues_) {
    if (std::exchange(queue.pause_due, false)) {
      hold_back(queue);
      continue;
    }
    // The new connection may be to a broker that was mended; but not if the old one ended just because
    // of the refusal, as it does with AWS IoT: the other lanes would starve.
    if (!blamed_ && loop_.clock().now() - queue.refused_at >= kRefusedPause) queue.pause.reset();
  }
  blamed_ = false;
  if (sparkplug_) sparkplug_->connection_made();
  begin_backlog();
  pump();
}

/// Also told of further changes while there is no connection: nothing is lost then.
void Sync::connection_ended() {
  if (sparkplug_) sparkplug_->connection_ended();
  for (auto& queue : queues_) drop_parts(queue);
  const Lost lost = std::exchange(lost_, {});
  for (auto& queue : queues_) {
    queue.settling = true;
    if (queue.in_flight.empty()) forget(queue);
  }
  for (std::size_t place = 0; place < kPlaces; ++place) {
    if (lost.oldest_row[place] == 0) continue;
    Queue& queue = queues_[place];
    queue.suspicion.ended(lost.oldest_row[place]);
    if (lost.messages == 1 && queue.suspect()) blame(queue, lost);
  }
}

/// Newest first: what becomes durable from now on is the newest, everything before it the backlog. Each goes in its
/// own order. The log line is what a judge of that order goes by.
void Sync::begin_backlog() {
  Queue& newest = queues_[kLiveNewest];
  Queue& backlog = queues_[kLiveBacklog];
  if (!newest.in_flight.empty()) return;
  const StoreStatus store = store_.status();
  backlog_begun_ = store.disk_ok;
  if (!store.disk_ok) return;
  newest.waiting.clear();
  newest.fetched_to = store.newest_row;
  newest.exhausted = false;
  newest.discard_fetch = newest.fetching;
  newest.head_bytes = 0;
  backlog.row_max = store.newest_row;
  backlog.exhausted = false;
  if (backlog.fetching) backlog.fetch_again = true;
  log_.debug("backlog behind the newest", {{"lane", to_string(Lane::live)}, {"epoch", to_text(store.epoch)}, {"seq", store.newest_seq}});
}

void Sync::pump() {
  if (stopped_ || !link_.connected() || !born()) return;
  const auto half_sent = std::find_if(queues_.begin(), queues_.end(), [](const Queue& queue) { return !queue.parts.empty(); });
  // One at a time until it is known which message ends the connections.
  const bool carefully = std::any_of(queues_.begin(), queues_.end(), [this](const Queue& queue) {
    return queue.suspect() && budget_.wait(claim_of(queue)) <= nanoseconds{0};  // else its turn is far away
  });
  if (carefully && in_flight() > 0 && half_sent == queues_.end()) return;
  for (auto& queue : queues_) {
    if (queue.settling || queue.pause) continue;
    const bool may_go = half_sent == queues_.end() ? queue.suspect() || queue.lane == Lane::alert : &queue == &*half_sent;
    if (carefully && !may_go) continue;
    // What a higher queue found no room for is not overtaken. One whose segments are on their way from
    // the disk goes first only if it is known to have some; the lower ones use the window meanwhile.
    if (!pump_queue(queue, carefully)) return;
    // Alerts of an outage go all before the rest: a message of that may take a slow link for seconds.
    if (queue.lane == Lane::alert && queue.fetching && queue.has_more) return;
  }
}

/// False when nothing more can be sent now.
bool Sync::pump_queue(Queue& queue, bool carefully) {
  const Link::Urgency urgency = urgency_of(queue);
  bool room = true;
  while (room && link_.window(urgency) > 0 && !(queue.waiting.empty() && queue.parts.empty())) {
    if (queue.refusals > 0 && !queue.in_flight.empty() && queue.parts.empty()) break;
    // Writing a message costs far more than sending it: not again before there is room.
    const std::size_t bytes = queue.parts.empty() ? queue.head_bytes : queue.parts.front().size();
    room = bytes <= link_.window_bytes(urgency) && within_budget(queue) && send_next(queue);
    if (carefully && in_flight() > 0 && queue.parts.empty()) return false;
  }
  if (queue.waiting.size() < kFetchSegments / 2) fetch(queue);
  if (queue.suspect() && queue.exhausted && queue.waiting.empty() && queue.in_flight.empty()) {
    queue.suspicion.cleared();  // the store has dropped it
    loop_.post([this] { pump(); });
  }
  return room;
}

bool Sync::send_next(Queue& queue) {
  if (!queue.parts.empty()) return send_part(queue);
  auto node = queue.waiting.extract(queue.waiting.begin());
  return send(queue, std::move(node.mapped()));
}

bool Sync::send(Queue& queue, OutgoingSegment segment) {
  const std::int64_t row = segment.row;
  if (row == queue.too_large_row) {
    give_up(queue, segment, Gap::Cause::oversize, Error{ErrorKind::OutOfRange, "the broker ends the connection on it, and takes shorter ones"});
    return true;
  }
  auto payload = write(queue, segment);
  if (!payload) {
    const bool too_long = payload.error().kind() == ErrorKind::OutOfRange;
    give_up(queue, segment, too_long ? Gap::Cause::oversize : Gap::Cause::damage, payload.error());
    return true;
  }
  if (!born()) {  // it bears a series that the hosts do not know yet
    queue.waiting.emplace(row, std::move(segment));
    return false;
  }
  const std::size_t bytes = payload->bytes.size();
  const auto sent = publish(queue, row, std::move(payload->bytes), payload->content_type);
  if (!sent && sent.error().kind() == ErrorKind::OutOfRange) {
    queue.last_error = sent.error().sentence();
    queue.head_bytes = 0;
    give_up(queue, segment, Gap::Cause::oversize, sent.error());
    return true;
  }
  if (!sent) {  // the window's bytes are used up, or the link has just gone: the next change pumps
    queue.head_bytes = bytes;
    queue.waiting.emplace(row, std::move(segment));
    return false;
  }
  queue.head_bytes = 0;
  if (queue.in_flight.empty() && queue.suspicion.row() != row) queue.suspicion.cleared();  // the store has dropped it
  store_.sent(segment);
  queue.in_flight.emplace(row, InFlight{std::move(segment), bytes, loop_.clock().now(), 1, {}});
  queue.parts.assign(std::make_move_iterator(payload->further.begin()), std::make_move_iterator(payload->further.end()));
  queue.parts_row = row;
  queue.parts_type = payload->content_type;
  return true;
}

bool Sync::send_part(Queue& queue) {
  InFlight& message = queue.in_flight.find(queue.parts_row)->second;
  auto sent = publish(queue, queue.parts_row, queue.parts.front(), queue.parts_type);
  if (sent) {
    ++message.unanswered;
    queue.parts.pop_front();
  } else if (sent.error().kind() == ErrorKind::OutOfRange) {
    message.outcome = std::move(sent);
    drop_parts(queue);
  } else {
    return false;
  }
  return true;
}

Result<Payload> Sync::write(const Queue& queue, const OutgoingSegment& segment) {
  const UtcOf utc_of = [this](const BootId& boot, BootTime time) { return store_.utc_of(boot, time); };
  const MessageGround ground{options_.device, utc_of, loop_.clock()};
  if (!sparkplug_) return make_payload(options_.payload, ground, segment, options_.message_bytes_max);
  return sparkplug_->write(segment, ground, &queue == &queues_[kLiveBacklog], options_.message_bytes_max);
}

Result<void> Sync::publish(Queue& queue, std::int64_t row, std::string payload, std::string_view content_type) {
  Link::Message message;
  const std::string_view lane = to_string(queue.lane);
  message.topic = sparkplug_ ? sparkplug_->data_topic()
                  : options_.topic ? options_.topic(lane, content_type)
                                   : options_.topic_prefix + "/" + options_.device + "/" + std::string{lane};
  const std::size_t bytes = payload.size();
  const std::size_t cost = bytes + message.topic.size() + kMessageOverhead;
  message.payload = std::move(payload);
  message.content_type = content_type;
  message.urgency = urgency_of(queue);
  auto done = [this, &queue, row](const Result<void>& outcome) { finished(queue, row, outcome); };
  TRY(sparkplug_ ? sparkplug_->publish(std::move(message), std::move(done)) : link_.publish(std::move(message), std::move(done)));
  ++status_.messages_sent;
  status_.payload_bytes += bytes;
  spend(cost);
  return {};
}

/// Whether data may go out: with Sparkplug B not before the birth of all that they bear.
bool Sync::born() {
  if (!sparkplug_) return true;
  const bool is_ready = sparkplug_->ready();
  if (const std::size_t bytes = sparkplug_->take_birth_bytes(); bytes > 0) spend(bytes + kMessageOverhead);
  return is_ready;
}

void Sync::give_up(const Queue& queue, const OutgoingSegment& segment, Gap::Cause cause, const Error& why) {
  ++status_.messages_given_up;
  log_.warn("segment given up", {{"lane", to_string(queue.lane)},
                                 {"seq", segment.header.seq},
                                 {"cause", to_string(cause)},
                                 {"why", why.sentence()}});
  store_.give_up(segment, cause);
}

void Sync::finished(Queue& queue, std::int64_t row, const Result<void>& outcome) {
  const auto found = queue.in_flight.find(row);
  if (found == queue.in_flight.end()) return;
  InFlight& message = found->second;
  --message.unanswered;
  if (outcome) {
    ++status_.messages_acknowledged;
  } else {
    ++status_.messages_failed;
    log_.debug("message not acknowledged", {{"lane", to_string(queue.lane)},
                                            {"seq", message.segment.header.seq},
                                            {"why", outcome.error().sentence()}});
    if (message.outcome) message.outcome = outcome;
    if (queue.parts_row == row) queue.parts.clear();
  }
  if (message.unanswered == 0 && (queue.parts_row != row || queue.parts.empty())) conclude(queue, row);
  pump();
}

/// All messages of a segment have been answered.
void Sync::conclude(Queue& queue, std::int64_t row) {
  auto node = queue.in_flight.extract(row);
  InFlight& message = node.mapped();
  if (message.outcome) {
    acknowledged(queue, message);
  } else if (message.outcome.error().kind() == ErrorKind::Io) {
    lost(queue, std::move(message));
  } else {
    refused(queue, std::move(message.segment), message.outcome.error());
  }
  // Order in a queue: after a failure nothing newer is sent until all that were on their way have
  // been acknowledged or are back.
  if (queue.settling) drop_parts(queue);
  if (queue.settling && queue.in_flight.empty()) forget(queue);
}

/// What of a segment is not sent yet, because the queue settles or the connection is gone: it goes anew as a whole.
void Sync::drop_parts(Queue& queue) {
  if (queue.parts.empty()) return;
  queue.parts.clear();
  InFlight& message = queue.in_flight.find(queue.parts_row)->second;
  if (message.outcome) message.outcome = Error{ErrorKind::Io, "not sent whole"};
  if (message.unanswered == 0) conclude(queue, queue.parts_row);
}

void Sync::acknowledged(Queue& queue, const InFlight& message) {
  passed_[static_cast<std::size_t>(queue.lane)].note(message.bytes);
  if (message.segment.row == queue.suspicion.row()) queue.suspicion.cleared();
  store_.acknowledge(message.segment);
  if (queue.settling || queue.pause) return;
  if (std::exchange(queue.refusals, 0) > 0) log_.info("the broker takes a lane again", {{"lane", to_string(queue.lane)}});
  queue.last_error.clear();
}

/// The connection ended before the acknowledgement.
void Sync::lost(Queue& queue, InFlight message) {
  const std::int64_t row = message.segment.row;
  queue.settling = true;
  queue.waiting.emplace(row, std::move(message.segment));
  // What was the newest is backlog when the next connection stands.
  auto place = static_cast<std::size_t>(&queue - queues_.data());
  if (place == kLiveNewest) place = kLiveBacklog;
  std::int64_t& oldest = lost_.oldest_row[place];
  if (oldest == 0 || row < oldest) oldest = row;
  ++lost_.messages;
  lost_.bytes = message.bytes;
  lost_.published = message.published;
}

/// The broker does not want the message. What no operator can mend is given up;
/// the rest is kept and asked again, ever more seldom. The other lanes go on.
void Sync::refused(Queue& queue, OutgoingSegment segment, const Error& why) {
  if (why.kind() == ErrorKind::OutOfRange) {  // too large: says nothing about the next one
    queue.last_error = why.sentence();
    give_up(queue, segment, Gap::Cause::oversize, why);
    return;
  }
  say_held_back(queue, "the broker refuses a lane", why.sentence());
  if (why.kind() == ErrorKind::Malformed) {
    give_up(queue, segment, Gap::Cause::refused, why);
  } else {
    queue.waiting.emplace(segment.row, std::move(segment));
  }
  queue.settling = true;
  if (queue.pause) return;  // others of the same round
  // Also after giving up: a broker that refuses every payload must not turn a backlog into gaps at once.
  ++queue.refusals;
  hold_back(queue);
}

/// The connection has ended twice or more with this queue's oldest message in flight, and the last time with
/// nothing else. That the message is the cause is likely only where others pass: without them the broker is
/// just away, or the network bad, and the pause does not grow.
void Sync::blame(Queue& queue, const Lost& lost) {
  blamed_ = true;
  const bool others_pass = std::exchange(queue.acknowledged_before, status_.messages_acknowledged) != status_.messages_acknowledged;
  if (others_pass || queue.refusals == 0) ++queue.refusals;
  const nanoseconds after = loop_.clock().now() - lost.published;
  if (queue.suspicion.ended_alone(lost.bytes, after, passed_[static_cast<std::size_t>(queue.lane)])) {
    queue.too_large_row = queue.suspicion.row();
  }
  say_held_back(queue, "a message ends the connection",
                "the connection ends whenever this message of " + std::to_string(lost.bytes) +
                    " bytes is sent; check what the broker allows this device, and its limit of size");
  queue.pause_due = true;
}

/// Once per cause and lane; `status` says it as long as it lasts.
void Sync::say_held_back(Queue& queue, std::string_view phrase, const std::string& why) {
  const bool told = status().last_error[static_cast<std::size_t>(queue.lane)] == why;
  queue.last_error = why;
  if (!told) log_.warn(phrase, {{"lane", to_string(queue.lane)}, {"why", why}});
}

/// Nothing of this queue for now; after the pause one message asks for all of it.
void Sync::hold_back(Queue& queue) {
  const milliseconds delay = std::min(kRefusedPause * (1U << std::min(queue.refusals - 1, 6U)), kRefusedPauseMax);
  queue.refused_at = loop_.clock().now();
  queue.pause = loop_.after(delay, [this, &queue] {
    queue.pause.reset();
    pump();
  });
}

/// What waits is fetched anew when its time comes: until then the store may drop it, by quota or age, and
/// reports a gap; sent all the same it would be there twice. Everything before it is acknowledged.
void Sync::forget(Queue& queue) {
  queue.settling = false;
  queue.exhausted = false;
  queue.head_bytes = 0;
  queue.discard_fetch = queue.fetching;
  if (!queue.waiting.empty()) queue.fetched_to = queue.waiting.begin()->first - 1;
  queue.waiting.clear();
  const bool any_left = std::any_of(queues_.begin(), queues_.end(), [&queue](const Queue& other) {
    const bool fetches = other.fetching && &other != &queue;
    return other.lane == queue.lane && (fetches || !other.in_flight.empty() || !other.waiting.empty());
  });
  if (!any_left) store_.release(queue.lane);
  // What waited out a pause is not the newest any more.
  if (&queue == &queues_[kLiveNewest] && link_.connected()) begin_backlog();
}

/// Rows older than those that were fetched have come back out of a damaged outbox: each lane is looked through anew. Those of live
/// that became durable over this connection lie behind what the newest has fetched since, and beyond its backlog: the backlog begins
/// anew with them, when what is in flight of the newest has ended and cannot be fetched a second time.
void Sync::look_back() {
  Queue& newest = queues_[kLiveNewest];
  for (Queue& queue : queues_) {
    if (&queue == &newest) continue;
    queue.fetched_to = 0;
    queue.exhausted = false;
    queue.discard_fetch = queue.fetching;
  }
  newest.settling = true;
  drop_parts(newest);
  if (newest.in_flight.empty()) forget(newest);
  pump();
}

void Sync::fetch(Queue& queue) {
  if (queue.fetching || queue.exhausted) return;
  if (queue.fetched_to >= queue.row_max) {
    queue.exhausted = true;
    return;
  }
  queue.fetching = true;
  queue.fetch_again = false;
  store_.fetch(queue.lane, queue.fetched_to, kFetchSegments, kFetchBytesMax,
               [this, &queue](std::vector<OutgoingSegment> segments) { fetched(queue, std::move(segments)); });
}

void Sync::fetched(Queue& queue, std::vector<OutgoingSegment> segments) {
  queue.fetching = false;
  if (std::exchange(queue.discard_fetch, false)) return pump();
  queue.exhausted = segments.empty() && !std::exchange(queue.fetch_again, false);
  queue.has_more = segments.size() >= kFetchSegments;
  for (auto& segment : segments) {
    const std::int64_t row = segment.row;
    if (row > queue.row_max) {
      queue.fetched_to = queue.row_max;
      break;
    }
    if (row <= queue.fetched_to) continue;
    queue.fetched_to = row;
    if (!queue.in_flight.contains(row)) queue.waiting.emplace(row, std::move(segment));
  }
  pump();
}

Link::Urgency Sync::urgency_of(const Queue& queue) {
  return queue.lane == Lane::alert ? Link::Urgency::urgent : Link::Urgency::ordinary;
}

ByteBudget::Claim Sync::claim_of(const Queue& queue) const {
  if (queue.lane == Lane::alert) return ByteBudget::Claim::alert;
  const bool later = &queue == &queues_[kLiveBacklog] || queue.lane == Lane::bulk;
  return later ? ByteBudget::Claim::backlog : ByteBudget::Claim::live;
}

bool Sync::within_budget(const Queue& queue) {
  const ByteBudget::Claim claim = claim_of(queue);
  const nanoseconds wait = budget_.wait(claim);
  const BootTime now = loop_.clock().now();
  if (wait > nanoseconds{0}) {
    if (claim == ByteBudget::Claim::live && !live_waits_since_) live_waits_since_ = now;
    budget_timer_ = loop_.after(wait, [this] {
      budget_timer_.reset();
      pump();
    });
    return false;
  }
  if (claim != ByteBudget::Claim::live) return true;
  const auto since = std::exchange(live_waits_since_, std::nullopt);
  if (!since || now - *since <= kRefusedPauseMax) return true;
  begin_backlog();  // what waited so long is not the newest any more
  loop_.post([this] { pump(); });
  return false;
}

void Sync::spend(std::size_t bytes) {
  budget_.spend(bytes);
  if (options_.limits.per_day == 0) return;
  const std::int64_t used = budget_.used_today();
  if (used < budget_kept_ || used - budget_kept_ >= options_.limits.per_day / 20) {
    keep_budget();
  } else if (!keep_timer_) {
    keep_timer_ = loop_.after(kKeepBudgetEvery, [this] { keep_budget(); });
  }
}

void Sync::keep_budget() {
  keep_timer_.reset();
  budget_kept_ = budget_.used_today();
  if (!budget_file_.keep(budget_.to_text())) keep_timer_ = loop_.after(kKeepBudgetEvery, [this] { keep_budget(); });
}

}  // namespace fieldpost
