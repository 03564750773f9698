// SPDX-License-Identifier: Apache-2.0
// See mqtt_link.hpp.
#include "agent/link/mqtt_link.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/link/topic_filter.hpp"

namespace fieldpost {

namespace {

/// After the broker hung up, Paho may still have to tell what it said last. It looks at its sockets
/// at once, but sleeps up to 100 ms in between.
constexpr milliseconds kLastWordWait{500};

/// stop() promises a second; the rest is for the loop.
constexpr milliseconds kStopWait{900};

constexpr milliseconds kAcknowledgeCheck{1'000};

/// Room in the queue above the window: pings, subscriptions and WebSocket frames.
constexpr std::size_t kQueueSpare = 64U << 10U;

constexpr std::size_t kToPahoMax = 64U << 10U;

/// The guard lets nothing of QoS 2 pass.
constexpr int kQosMax = 1;

Error out_of_range(std::string sentence) { return Error{ErrorKind::OutOfRange, std::move(sentence)}; }

Result<void> check(const LinkOptions& options) {
  constexpr std::size_t kMessagesMax = 32'768;   // half of MQTT's message numbers
  constexpr std::size_t kBytesMax = 16U << 20U;
  if (options.in_flight_messages_max < 1 || options.in_flight_messages_max > kMessagesMax) {
    return out_of_range("in_flight_messages_max must be from 1 to 32768");
  }
  if (options.in_flight_bytes_max < (4U << 10U) || options.in_flight_bytes_max > kBytesMax) {
    return out_of_range("in_flight_bytes_max must be from 4 KiB to 16 MiB");
  }
  if (options.keep_alive < seconds{0} || options.keep_alive > seconds{65'535}) {
    return out_of_range("keep_alive must be from 0 to 65535 s");
  }
  if (options.connect_timeout < seconds{1}) return out_of_range("connect_timeout must be at least 1 s");
  if (options.acknowledge_timeout < seconds{1}) return out_of_range("acknowledge_timeout must be at least 1 s");
  if (options.backoff_first < milliseconds{1} || options.backoff_max < options.backoff_first) {
    return out_of_range("backoff_first must be at least 1 ms and not above backoff_max");
  }
  if (options.will && (options.will->topic.empty() || options.will->qos < 0 || options.will->qos > 2)) {
    return out_of_range("will must have a topic, and a QoS from 0 to 2");
  }
  return {};
}

}  // namespace

std::string_view to_string(LinkState state) noexcept {
  switch (state) {
    case LinkState::stopped: return "stopped";
    case LinkState::connecting: return "connecting";
    case LinkState::connected: return "connected";
    case LinkState::waiting: return "waiting";
  }
  return "?";
}

Result<std::unique_ptr<Link>> Link::make(EventLoop& loop, Log& log, LinkOptions options) {
  TRY(check(options));
  MqttLink::Parts parts;
  parts.broker = TRY(parse_broker_url(options.url, options.plaintext_allowed).with_context("url"));
  if (!options.proxy.empty()) parts.proxy = TRY(parse_proxy_url(options.proxy).with_context("proxy"));
  if (parts.broker.tls) parts.settings = TRY(TlsSettings::load(options));
  parts.options = std::move(options);
  parts.look_up = NameResolver::system_look_up();
  parts.random = system_random();
  return std::unique_ptr<Link>{std::make_unique<MqttLink>(loop, log, std::move(parts))};
}

MqttLink::MqttLink(EventLoop& loop, Log& log, Parts parts)
    : loop_{loop},
      log_{log},
      options_{std::move(parts.options)},
      broker_{std::move(parts.broker)},
      proxy_{std::move(parts.proxy)},
      settings_{std::move(parts.settings)},
      resolver_{loop, std::move(parts.look_up)},
      backoff_{{options_.backoff_first, options_.backoff_max}, std::move(parts.random)} {
  status_.since = loop_.clock().now();
}

MqttLink::~MqttLink() = default;

void MqttLink::start() {
  if (std::exchange(wanted_, true)) return;
  if (stop_done_.empty()) attempt();  // else finish_stop() begins
}

void MqttLink::stop(std::function<void()> done) {
  wanted_ = false;
  stop_done_.push_back(std::move(done));
  if (stop_done_.size() > 1) return;  // one stop is under way; both callers will hear
  const bool was_connected = connected() && relay_;
  acknowledge_timer_.reset();
  status_.next_attempt.reset();
  if (was_connected) client_.reset();  // leaves its DISCONNECT in the pair, from where the relay takes it
  timer_ = loop_.after(was_connected ? nanoseconds{kStopWait} : nanoseconds{0}, [this] { finish_stop(); });
  fail_all_in_flight(Error{ErrorKind::Io, "the link was stopped before the acknowledgement"});
}

void MqttLink::finish_stop() {
  drop_connection();
  change(LinkState::stopped);
  for (auto& done : std::exchange(stop_done_, {})) {
    if (done) done();
  }
  if (wanted_) attempt();
}

void MqttLink::attempt() {
  status_.next_attempt.reset();
  change(LinkState::connecting);
  deadline_ = loop_.clock().now() + options_.connect_timeout;
  if (auto reloaded = reload_settings(); !reloaded) {
    timer_ = loop_.after(nanoseconds{0}, [this, error = reloaded.error()] { broken(error); });
    return;
  }
  connector_ = std::make_unique<Connector>(
      loop_, resolver_, Connector::Target{broker_, proxy_, options_.server_name, settings_.get()});
  connector_->connect(options_.connect_timeout, [this](Result<Connector::Connection> result) {
    if (result) {
      transport_ready(std::move(*result));
      return;
    }
    status_.bytes_sent += connector_->bytes_sent();
    status_.bytes_received += connector_->bytes_received();
    broken(result.error());
  });
}

Result<void> MqttLink::reload_settings() {
  // A renewed certificate or revocation list counts from the next connection on.
  if (!settings_ || !settings_->changed_on_disk()) return {};
  settings_ = TRY(TlsSettings::load(options_));
  log_.info("certificates reloaded", {{"certificate_file", options_.certificate_file}, {"ca_file", options_.ca_file}});
  return {};
}

void MqttLink::transport_ready(Connector::Connection connection) {
  status_.peer = connection.peer;
  status_.tls = connection.tls;
  if (connection.certificate_early) {
    log_.warn("certificate accepted before its time", {{"peer", connection.peer}, {"why", "the clock of this device is not synchronised"}});
  }
  connector_.reset();
  auto pair = make_socket_pair();
  if (!pair) {
    broken(pair.error());
    return;
  }
  in_flight_bytes_max_ = std::min(options_.in_flight_bytes_max, pair->bytes_held);
  in_flight_messages_max_ = options_.in_flight_messages_max;

  MqttClient::Options mqtt;
  mqtt.version = options_.mqtt_version;
  mqtt.peer = mqtt_peer();
  mqtt.username = options_.username;
  mqtt.password = options_.password;
  mqtt.keep_alive = options_.keep_alive;
  mqtt.connect_timeout = options_.connect_timeout;
  mqtt.will = next_will_ ? std::optional{next_will_()} : options_.will;
  mqtt.in_flight_messages_max = options_.in_flight_messages_max;
  mqtt.websocket = broker_.websocket;
  mqtt.port = broker_.at.port;
  mqtt.path = broker_.path;
  mqtt_answered_ = false;
  auto client = MqttClient::connect(loop_, std::move(pair->theirs), std::move(mqtt), client_events());
  if (!client) {
    broken(client.error());
    return;
  }
  client_ = std::move(*client);

  std::optional<WebSocketHost> host;
  if (broker_.websocket) {
    const bool v6 = broker_.at.host.find(':') != std::string::npos;
    host.emplace(client_->stand_in_host(), v6 ? "[" + broker_.at.host + "]" : broker_.at.host);
  }
  auto paho_end = std::make_unique<Wire>(
      loop_, std::move(pair->ours),
      Wire::Bounds{.incoming_bytes_max = options_.in_flight_bytes_max + kQueueSpare, .outgoing_bytes_max = kToPahoMax});
  relay_end_.reset();
  relay_ = std::make_unique<Relay>(std::move(paho_end), std::move(connection.wire), std::move(connection.records),
                                   std::move(host), PacketGuard{broker_.websocket});
  timer_ = loop_.after(std::max(deadline_ - loop_.clock().now(), nanoseconds{0}), [this] {
    broken(Error{ErrorKind::Timeout, broker_.at.text() + " did not answer our MQTT CONNECT within " +
                                         std::to_string(options_.connect_timeout.count()) +
                                         " s; check that an MQTT broker listens on this port"});
  });
  relay_->start([this](Relay::End end) { relay_ended(std::move(end)); });
}

MqttPeer MqttLink::mqtt_peer() const { return {broker_.at.text(), options_.client_id, !options_.username.empty()}; }

MqttClient::Events MqttLink::client_events() {
  MqttClient::Events events;
  events.connected = [this](const MqttBrokerLimits& limits) { mqtt_connected(limits); };
  events.refused = [this](std::optional<Error> error) { broken(lost_error(error)); };
  events.lost = [this](std::optional<Error> error) { broken(lost_error(error)); };
  events.published = [this](std::uint32_t number, Result<void> result) { message_answered(number, result); };
  events.subscribed = [this](const std::string& filter, Result<void> result) {
    if (!result) log_.warn("subscription refused", {{"filter", filter}, {"error", result.error().sentence()}});
  };
  events.received = [this](const std::string& topic, const std::string& payload) { message_received(topic, payload); };
  return events;
}

void MqttLink::mqtt_connected(const MqttBrokerLimits& limits) {
  mqtt_answered_ = true;
  timer_.reset();
  if (limits.receive_maximum) {
    in_flight_messages_max_ = std::clamp<std::size_t>(*limits.receive_maximum, 1, options_.in_flight_messages_max);
  }
  packet_bytes_max_ = limits.packet_bytes_max.value_or(std::numeric_limits<std::uint32_t>::max());
  ++status_.connects;
  status_.last_error.clear();
  last_progress_ = loop_.clock().now();
  delivered_before_ = 0;
  log_.info("link up", {{"peer", status_.peer}, {"tls", status_.tls.empty() ? "none" : status_.tls}});
  for (const auto& filter : filters_) {
    relay_->expect_subscription();
    if (auto asked = client_->subscribe(filter.filter, filter.qos); !asked) {
      log_.warn("subscription failed", {{"filter", filter.filter}, {"error", asked.error().sentence()}});
    }
  }
  change(LinkState::connected);
}

void MqttLink::message_received(const std::string& topic, const std::string& payload) {
  // By index: a receiver may subscribe to more.
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    if (topic_matches(filters_[i].filter, topic)) filters_[i].receive(topic, payload);
  }
}

std::size_t MqttLink::window(Urgency urgency) const {
  // Of a broker that takes few at a time one place is kept all the same; of one that takes one, none can be.
  const std::size_t share = in_flight_messages_max_ < 2 ? 0 : std::max<std::size_t>(in_flight_messages_max_ / kUrgentShare, 1);
  const std::size_t kept_free = urgency == Urgency::ordinary ? share : 0;
  if (!connected() || (!in_flight_.empty() && window_bytes(urgency) == 0)) return 0;
  return in_flight_messages_max_ - std::min(in_flight_messages_max_, in_flight_.size() + kept_free);
}

std::size_t MqttLink::window_bytes(Urgency urgency) const {
  // One message always goes: alerts without an end must not hold the others back for ever.
  if (in_flight_.empty() || (urgency == Urgency::ordinary && pace_.is_idle())) return kMessageBytesMax;
  const std::size_t used = in_flight_bytes_ + kMessageOverhead;
  const std::size_t free = in_flight_bytes_max_ - std::min(in_flight_bytes_max_, used);
  if (urgency == Urgency::urgent) return free;
  const std::size_t kept_free = in_flight_bytes_max_ / kUrgentShare;
  return std::min(free - std::min(free, kept_free), pace_.room(loop_.clock().now()));
}

Result<void> MqttLink::publish(Message message, PublishDone done) {
  if (!connected()) return Error{ErrorKind::Unavailable, "the link is down"};
  if (message.qos > kQosMax) return out_of_range("a message is published with QoS 0 or 1");
  if (message.payload.size() > kMessageBytesMax) return out_of_range("a message of over 32 MiB cannot be published");
  if (message.topic.size() + message.payload.size() + message.content_type.size() + kPublishOverhead > packet_bytes_max_) {
    return out_of_range("the broker takes packets of up to " + std::to_string(packet_bytes_max_) +
                        " bytes; raise its limit (mosquitto: max_packet_size)");
  }
  const std::size_t cost = message.topic.size() + message.payload.size() + kMessageOverhead;
  // One message alone may be larger than the window: slow, but it goes.
  const bool fits = in_flight_.empty() || cost - kMessageOverhead <= window_bytes(message.urgency);
  if (window(message.urgency) == 0 || !fits) return Error{ErrorKind::Full, "the in-flight window is full"};

  do {
    ++last_number_;
  } while (last_number_ == 0 || in_flight_.contains(last_number_));
  // Entered first: Paho's answer may be in the postbox before publish() returns, though the loop
  // takes it only later.
  in_flight_.emplace(last_number_, InFlight{loop_.clock().now(), cost, std::move(done), {}});
  in_flight_bytes_ += cost;
  if (auto sent = client_->publish(last_number_, message); !sent) {
    in_flight_.erase(last_number_);
    in_flight_bytes_ -= cost;
    return sent;
  }
  const std::size_t bytes = cost - kMessageOverhead + kPublishOverhead;
  const BootTime now = loop_.clock().now();
  in_flight_[last_number_].mark = message.urgency == Urgency::urgent ? pace_.published_urgent(now, bytes) : pace_.published(now, bytes);
  if (!acknowledge_timer_) watch_acknowledgements();
  return {};
}

void MqttLink::message_answered(std::uint32_t number, const Result<void>& result) {
  auto found = in_flight_.extract(number);
  if (found.empty()) return;
  in_flight_bytes_ -= found.mapped().cost;
  pace_.acknowledged(loop_.clock().now(), found.mapped().mark);
  if (relay_) relay_->set_record_bytes(pace_.rate());
  if (result) backoff_.reset();
  if (in_flight_.empty()) acknowledge_timer_.reset();
  if (found.mapped().done) found.mapped().done(result);
  for (std::size_t i = 0; i < room_listeners_.size(); ++i) room_listeners_[i]();
}

void MqttLink::watch_acknowledgements() {
  // Time is measured from the publish, or from the last instant at which bytes of ours were still
  // moving: a slow network is no reason to throw a connection away and send it all again.
  const auto now = loop_.clock().now();
  if (relay_ && relay_->bytes_underway() > 0) {
    const auto delivered = relay_->bytes_delivered();
    if (delivered != std::exchange(delivered_before_, delivered)) last_progress_ = now;
  }
  if (!in_flight_.empty()) {
    const auto since = std::max(in_flight_.begin()->second.published, last_progress_);
    if (now - since >= options_.acknowledge_timeout) {
      broken(Error{ErrorKind::Timeout, broker_.at.text() + " acknowledged nothing for " +
                                           std::to_string(options_.acknowledge_timeout.count()) +
                                           " s; check the broker's limits and its log"});
      return;
    }
  }
  acknowledge_timer_ = loop_.after(kAcknowledgeCheck, [this] { watch_acknowledgements(); });
}

void MqttLink::relay_ended(Relay::End end) {
  if (!stop_done_.empty()) {
    timer_ = loop_.after(nanoseconds{0}, [this] { finish_stop(); });
    return;
  }
  relay_end_ = std::move(end);
  // Paho has seen the end as well, and perhaps a CONNACK or DISCONNECT with the reason before it.
  timer_ = loop_.after(kLastWordWait, [this] { broken(lost_error(std::nullopt)); });
}

Error MqttLink::lost_error(const std::optional<Error>& said) const {
  if (said) return *said;
  const auto peer = broker_.at.text();
  if (relay_end_ && relay_end_->error) {
    const auto& error = *relay_end_->error;
    if (error.kind() != ErrorKind::Io) return error;  // the TLS layer has said it all
    if (mqtt_answered_) return Error{ErrorKind::Unavailable, "the connection to " + peer + " broke (" + error.sentence() + ")"};
  }
  if (relay_end_ && !mqtt_answered_) {
    return Error{ErrorKind::Unavailable,
                 peer + " closed the connection instead of answering our MQTT CONNECT; " +
                     (broker_.tls ? "see its log (it may refuse our certificate, our client_id or MQTT 5 (RabbitMQ before 3.13: "
                                    "mqtt_version = \"3.1.1\"), or speak no MQTT here)"
                                  : "if this is its TLS port, use mqtts://")};
  }
  if (relay_end_) return Error{ErrorKind::Unavailable, peer + " closed the connection; see its log for the reason"};
  return Error{ErrorKind::Unavailable, "the connection to " + peer + " is dead: no answer to a ping within keep_alive"};
}

void MqttLink::broken(Error error) {
  if (!stop_done_.empty()) return;  // finish_stop() is due
  ++status_.failures;
  // Once per cause: a broker that is away for a week needs no line for each attempt; `status` counts them.
  const bool told = status_.last_error == error.sentence();
  status_.last_error = error.sentence();
  const std::string_view phrase = wanted_ ? "link down, will be tried again" : "link down";
  const Log::Fields fields = {{"peer", broker_.at.text()}, {"error", error.sentence()}};
  if (told) {
    log_.debug(phrase, fields);
  } else {
    log_.warn(phrase, fields);
  }
  drop_connection();
  fail_all_in_flight(Error{ErrorKind::Io, "the connection was lost before the acknowledgement"});
  if (wanted_) wait_and_retry();
}

void MqttLink::wait_and_retry() {
  const auto pause = backoff_.next();
  status_.next_attempt = loop_.clock().now() + pause;
  timer_ = loop_.after(pause, [this] { attempt(); });
  change(LinkState::waiting);
}

void MqttLink::drop_connection() {
  timer_.reset();
  acknowledge_timer_.reset();
  connector_.reset();
  client_.reset();
  if (relay_) {
    status_.bytes_sent += relay_->bytes_sent();
    status_.bytes_received += relay_->bytes_received();
    relay_.reset();
  }
  relay_end_.reset();
}

void MqttLink::fail_all_in_flight(const Error& error) {
  in_flight_bytes_ = 0;
  pace_.restart();
  for (auto& [number, message] : std::exchange(in_flight_, {})) {
    if (message.done) message.done(error);
  }
}

void MqttLink::subscribe(std::string filter, int qos, std::function<void(std::string_view, std::string_view)> receive) {
  filters_.push_back({std::move(filter), std::min(qos, kQosMax), std::move(receive)});
  if (!connected() || !client_) return;
  relay_->expect_subscription();
  if (auto asked = client_->subscribe(filters_.back().filter, qos); !asked) {
    log_.warn("subscription failed", {{"filter", filters_.back().filter}, {"error", asked.error().sentence()}});
  }
}

LinkStatus MqttLink::status() const {
  LinkStatus status = status_;
  status.state = state_;
  if (relay_) {
    status.bytes_sent += relay_->bytes_sent();
    status.bytes_received += relay_->bytes_received();
  }
  return status;
}

void MqttLink::change(LinkState state) {
  if (state_ == state) return;
  state_ = state;
  status_.since = loop_.clock().now();
  for (std::size_t i = 0; i < listeners_.size(); ++i) listeners_[i](state);
}

}  // namespace fieldpost
