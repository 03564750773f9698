// SPDX-License-Identifier: Apache-2.0
// See sparkplug_session.hpp. NBIRTH and NDATA go with QoS 1 where the specification says 0: README.md says why.
#include "agent/sync/sparkplug_session.hpp"

#include <charconv>
#include <utility>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kNamespace = "spBv1.0/";

/// bdSeq goes to 255 and begins anew; what is not such a number is as if nothing had been kept.
std::uint8_t number_of(const std::string& text) {
  std::uint8_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

SparkplugSession::SparkplugSession(EventLoop& loop, Log& log, Link& link, SparkplugOptions options, const std::string& node,
                                   std::function<void()> may_send)
    : loop_{loop},
      log_{log},
      link_{link},
      options_{std::move(options)},
      node_{node},
      data_topic_{topic("NDATA")},
      may_send_{std::move(may_send)},
      metrics_{loop.clock()},
      file_{loop, log, options_.file},
      next_bd_seq_{number_of(file_.read())} {}

std::string SparkplugSession::topic(std::string_view type) const {
  std::string topic{kNamespace};
  ((topic += options_.group) += '/') += type;
  return (topic += '/') += node_;
}

void SparkplugSession::start() {
  link_.use_will([this] { return next_will(); });
  link_.subscribe(topic("NCMD"), 1, [this](std::string_view, std::string_view payload) {
    if (!asks_for_rebirth(payload)) return;
    log_.info("a host asks for a rebirth", {{"node", node_}});
    metrics_.ask_for_birth();
    may_send_();
  });
  if (options_.primary_host.empty()) return;
  link_.subscribe(std::string{kNamespace} + "STATE/" + options_.primary_host, 1,
                  [this](std::string_view, std::string_view payload) { host_said(payload); });
}

LinkOptions::Will SparkplugSession::next_will() {
  bd_seq_ = next_bd_seq_++;
  // A power cut before it is on the disk lets the next run use the number again.
  if (!file_.keep(std::to_string(next_bd_seq_))) log_.debug("bdSeq not kept", {{"why", "the disk holds up earlier ones"}});
  return {topic("NDEATH"), metrics_.write_death(bd_seq_), 1, false};
}

void SparkplugSession::connection_made() {
  connected_at_ = loop_.clock().now();
  born_ = false;
  if (metrics_.size() > SparkplugMetrics::kMetricsMax) metrics_.forget();
  ready();
}

void SparkplugSession::connection_ended() {
  born_ = false;
  is_leaving_ = false;
  host_online_ = false;  // whoever comes back asks anew
  pause_.reset();
}

bool SparkplugSession::ready() {
  if (!link_.connected() || pause_ || is_leaving_) return false;
  if (!options_.primary_host.empty() && !host_online_) return false;
  return (born_ && !metrics_.birth_due()) || bear();
}

bool SparkplugSession::bear() {
  Link::Message message;
  message.topic = topic("NBIRTH");
  message.payload = metrics_.write_birth(bd_seq_);
  message.urgency = Link::Urgency::urgent;
  const std::size_t bytes = message.topic.size() + message.payload.size();
  const auto sent = link_.publish(std::move(message), [this](const Result<void>& outcome) {
    if (!outcome && outcome.error().kind() != ErrorKind::Io) birth_refused(outcome.error());
    if (outcome) last_error_.clear();
  });
  if (!sent) {
    metrics_.ask_for_birth();
    if (sent.error().kind() == ErrorKind::OutOfRange) birth_refused(sent.error());
    return false;
  }
  birth_bytes_ += bytes;
  born_ = true;
  seq_ = 1;
  return true;
}

/// Without a birth the data mean nothing to a host, so they wait.
void SparkplugSession::birth_refused(const Error& why) {
  const std::string said = std::exchange(last_error_, "the birth of all series (NBIRTH): " + why.sentence());
  if (said != last_error_) log_.warn("the broker refuses the birth", {{"node", node_}, {"why", why.sentence()}});
  metrics_.ask_for_birth();
  pause_ = loop_.after(kRefusedPause, [this] {
    pause_.reset();
    may_send_();
  });
}

Result<Payload> SparkplugSession::write(const OutgoingSegment& segment, const MessageGround& ground, bool is_backlog, std::size_t bytes_max) {
  auto payload = metrics_.write_data(segment, ground, connected_at_, is_backlog, bytes_max);
  if (metrics_.size() > SparkplugMetrics::kMetricsMax) leave_connection();
  return payload;
}

Result<void> SparkplugSession::publish(Link::Message message, Link::PublishDone done) {
  SparkplugMetrics::put_seq(message.payload, seq_);
  message.content_type.clear();
  auto sent = link_.publish(std::move(message), [this, done = std::move(done)](const Result<void>& outcome) {
    // One that no host got leaves a hole in the numbers of the others.
    if (!outcome && outcome.error().kind() != ErrorKind::Io) metrics_.ask_for_birth();
    done(outcome);
  });
  if (sent) ++seq_;  // after 255 comes 0
  return sent;
}

void SparkplugSession::die(std::function<void()> then) {
  is_leaving_ = true;
  born_ = false;
  Link::Message message;
  message.topic = topic("NDEATH");
  message.payload = metrics_.write_death(bd_seq_);
  message.urgency = Link::Urgency::urgent;
  const auto sent = link_.publish(std::move(message), [this, then](const Result<void>&) {
    is_leaving_ = false;
    then();
  });
  if (sent) return;
  is_leaving_ = false;
  then();
}

void SparkplugSession::stop() {
  if (born_ && link_.connected()) die([] {});
}

/// The one orderly way to a new bdSeq.
void SparkplugSession::leave_connection() {
  die([this] {
    // Not from within a callback of the link.
    loop_.post([this] {
      if (!link_.connected()) return;
      link_.stop({});
      link_.start();
    });
  });
}

void SparkplugSession::host_said(std::string_view payload) {
  const auto state = Json::parse(payload);
  const auto online = state ? state->at("online") : std::nullopt;
  const auto time = state ? state->at("timestamp") : std::nullopt;
  if (!online || !online->boolean() || !time || !time->integer()) {
    log_.warn("STATE of the primary host cannot be read", {{"host", options_.primary_host}});
    return;
  }
  if (*time->integer() < host_time_ms_) return;
  host_time_ms_ = *time->integer();
  const bool was_online = std::exchange(host_online_, *online->boolean());
  if (was_online == host_online_) return;
  log_.info(host_online_ ? "the primary host is online" : "the primary host is offline", {{"host", options_.primary_host}});
  if (host_online_) {
    may_send_();
  } else if (born_) {
    leave_connection();
  }
}

}  // namespace fieldpost
