// SPDX-License-Identifier: Apache-2.0
// See mqtt_client.hpp. Of Paho only what cannot get into our way is used: no persistence, no
// automatic reconnect, no buffering while offline, clean start, one server. Handlers are set one by
// one instead of by set_callback(), which holds the C++ client's lock while it takes the C library's
// (paho.mqtt.cpp #356 is the cycle that makes).
#include <mqtt/async_client.h>

#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "agent/link/connect_wrap.hpp"
#include "agent/link/mqtt_client.hpp"

namespace fieldpost {

namespace {

struct Event {
  enum class Kind : std::uint8_t { connected, refused, lost, disconnected, published, subscribed, received };

  Kind kind;
  std::uint32_t number = 0;      // of a publish or a subscription
  int code = 0;                  // reason or return code; 0 is success
  MqttBrokerLimits limits;
  std::string topic;
  std::string payload;
};

/// Where Paho's threads leave what happened. Its lock is held for a push or a swap only, never
/// while anything of Paho's is called.
class Postbox : public std::enable_shared_from_this<Postbox> {
 public:
  Postbox(EventLoop& loop, std::function<void(Event&)> take) : loop_{&loop}, take_{std::move(take)} {}

  /// Any thread.
  void put(Event event) {
    const std::lock_guard lock{mutex_};
    if (loop_ == nullptr) return;
    const std::size_t bytes = event.topic.size() + event.payload.size();
    if (bytes_ + bytes > MqttClient::kReceivedBytesMax) {
      ++dropped_;
      return;
    }
    bytes_ += bytes;
    events_.push_back(std::move(event));
    if (!std::exchange(posted_, true)) loop_->post([self = shared_from_this()] { self->deliver(); });
  }

  /// On the loop.
  void close() {
    const std::lock_guard lock{mutex_};
    loop_ = nullptr;
    events_.clear();
    closed_ = true;
  }

  std::uint64_t dropped() const {
    const std::lock_guard lock{mutex_};
    return dropped_;
  }

 private:
  void deliver() {
    std::vector<Event> events;
    {
      const std::lock_guard lock{mutex_};
      events.swap(events_);
      bytes_ = 0;
      posted_ = false;
    }
    for (auto& event : events) {
      if (closed_) return;  // the client died in the one before
      take_(event);
    }
  }

  mutable std::mutex mutex_;
  EventLoop* loop_;
  std::vector<Event> events_;
  std::size_t bytes_ = 0;
  bool posted_ = false;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;  // of the loop's thread alone
  std::function<void(Event&)> take_;
};

/// A token's success and failure as one event.
class Listener final : public mqtt::iaction_listener {
 public:
  Listener(std::shared_ptr<Postbox> postbox, Event::Kind success, Event::Kind failure)
      : postbox_{std::move(postbox)}, success_{success}, failure_{failure} {}

 private:
  static std::uint32_t number_of(const mqtt::token& token) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(token.get_user_context()));
  }

  void on_success(const mqtt::token& token) override {
    Event event{};
    event.kind = success_;
    event.number = number_of(token);
    if (success_ == Event::Kind::connected) event.limits = limits_of(token);
    postbox_->put(std::move(event));
  }

  void on_failure(const mqtt::token& token) override {
    Event event{};
    event.kind = failure_;
    event.number = number_of(token);
    // Reason codes of MQTT 5 are from 0x80 up. For MQTT 3.1.1 Paho puts MQTTPP_V3_CODE there, and
    // the return code is the broker's (positive) or Paho's own (negative).
    const int reason = static_cast<int>(token.get_reason_code());
    event.code = reason >= 0x80 && reason != mqtt::MQTTPP_V3_CODE ? reason : token.get_return_code();
    if (event.code == 0) event.code = MQTTASYNC_FAILURE;
    postbox_->put(std::move(event));
  }

  static MqttBrokerLimits limits_of(const mqtt::token& token) {
    MqttBrokerLimits limits;
    try {
      // Complete by now, so this waits for nothing; empty for MQTT 3.1.1.
      const auto properties = token.get_connect_response().get_properties();
      if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
        limits.receive_maximum = mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
      }
      if (properties.contains(mqtt::property::MAXIMUM_PACKET_SIZE)) {
        limits.packet_bytes_max = mqtt::get<std::uint32_t>(properties, mqtt::property::MAXIMUM_PACKET_SIZE);
      }
    } catch (const std::exception&) {
      return {};
    }
    return limits;
  }

  std::shared_ptr<Postbox> postbox_;
  Event::Kind success_;
  Event::Kind failure_;
};

/// When the last client goes, Paho stops its threads and waits up to two seconds for them, on our
/// loop. One handle that never connects and never goes keeps it from that. (Static: so is what it
/// stands in for, Paho's list of handles.)
void keep_threads() {
  [[maybe_unused]] static const int created = [] {
    MQTTAsync handle = nullptr;
    return MQTTAsync_create(&handle, "tcp://anchor.invalid:1", "anchor", MQTTCLIENT_PERSISTENCE_NONE, nullptr);
  }();
}

int paho_version(LinkOptions::MqttVersion version) {
  return version == LinkOptions::MqttVersion::v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
}

void* as_context(std::uint32_t number) { return reinterpret_cast<void*>(std::uintptr_t{number}); }

Error paho_error(std::string_view what, const std::exception& exception) {
  return Error{ErrorKind::Bug, std::string{what} + ": " + exception.what()};
}

}  // namespace

struct MqttClient::Paho {
  Paho(EventLoop& loop, Options options_, Events events_, ReservedConnection reservation_)
      : options{std::move(options_)},
        events{std::move(events_)},
        reservation{std::move(reservation_)},
        stand_in{reservation.host()},
        postbox{std::make_shared<Postbox>(loop, [this](Event& event) { take(event); })},
        connect_listener{postbox, Event::Kind::connected, Event::Kind::refused},
        publish_listener{postbox, Event::Kind::published, Event::Kind::published},
        subscribe_listener{postbox, Event::Kind::subscribed, Event::Kind::subscribed} {}

  std::string uri() const {
    return (options.websocket ? "ws://" : "tcp://") + stand_in + ":" + std::to_string(options.port) +
           (options.websocket ? options.path : std::string{});
  }
  void open();
  void take(Event& event);

  Options options;
  Events events;
  ReservedConnection reservation;
  std::string stand_in;
  std::vector<std::string> filters;  // by number of subscription
  std::shared_ptr<Postbox> postbox;  // shared with Paho's threads
  Listener connect_listener;
  Listener publish_listener;
  Listener subscribe_listener;
  // Last, so that it goes first: its tokens point to the listeners.
  std::unique_ptr<mqtt::async_client> client;
};

void MqttClient::Paho::open() {
  keep_threads();
  mqtt::create_options create{paho_version(options.version)};
  // Also counts messages on their way while connected; subscriptions and pings come on top of ours.
  constexpr int kSpare = 64;
  const int in_flight = static_cast<int>(options.in_flight_messages_max) + kSpare;
  create.set_max_buffered_messages(in_flight);
  create.set_restore_messages(false);
  client = std::make_unique<mqtt::async_client>(uri(), options.peer.client_id, create);

  client->set_connection_lost_handler([box = postbox](const std::string&) {
    Event event{};
    event.kind = Event::Kind::lost;
    box->put(std::move(event));
  });
  client->set_disconnected_handler([box = postbox](const mqtt::properties&, mqtt::ReasonCode reason) {
    Event event{};
    event.kind = Event::Kind::disconnected;
    event.code = static_cast<int>(reason);
    box->put(std::move(event));
  });
  client->set_message_callback([box = postbox](mqtt::const_message_ptr message) {
    Event event{};
    event.kind = Event::Kind::received;
    event.topic = message->get_topic();
    event.payload = message->get_payload_str();
    box->put(std::move(event));
  });

  mqtt::connect_options connect;
  connect.set_mqtt_version(paho_version(options.version));
  if (options.version == LinkOptions::MqttVersion::v5) {
    connect.set_clean_start(true);
  } else {
    connect.set_clean_session(true);
  }
  connect.set_automatic_reconnect(false);
  connect.set_keep_alive_interval(options.keep_alive);
  connect.set_max_inflight(in_flight);
  // Ours is the timer that counts; this one only frees Paho should it ever be forgotten.
  connect.set_connect_timeout(options.connect_timeout * 2);
  if (!options.username.empty()) connect.set_user_name(options.username);
  if (!options.password.empty()) connect.set_password(options.password);
  if (options.will) {
    connect.set_will(mqtt::will_options{options.will->topic, options.will->payload.data(), options.will->payload.size(),
                                        options.will->qos, options.will->retain});
  }
  client->connect(std::move(connect), nullptr, connect_listener);
}

void MqttClient::Paho::take(Event& event) {
  // The listener may destroy this client, so a copy of it is called and nothing of ours is touched
  // afterwards.
  const auto tell = [](auto listener, auto... what) { listener(what...); };
  switch (event.kind) {
    case Event::Kind::connected:
      return tell(events.connected, event.limits);
    case Event::Kind::refused: {
      std::optional<Error> error;
      if (event.code > 0) error = explain_connack(options.version, event.code, options.peer);
      return tell(events.refused, error);
    }
    case Event::Kind::disconnected:
      // Paho takes the connection down and does not call "lost" for it.
      return tell(events.lost, std::optional<Error>{explain_disconnect(event.code, options.peer)});
    case Event::Kind::lost:
      return tell(events.lost, std::optional<Error>{});
    case Event::Kind::published: {
      Result<void> result;
      if (event.code >= 0x80) {
        result = explain_puback(event.code);
      } else if (event.code != 0) {
        result = Error{ErrorKind::Io, "the connection was lost before the acknowledgement"};
      }
      return tell(events.published, event.number, result);
    }
    case Event::Kind::subscribed: {
      if (event.number >= filters.size()) return;
      Result<void> result;
      if (event.code != 0) result = explain_suback(event.code, filters[event.number]);
      return tell(events.subscribed, filters[event.number], result);
    }
    case Event::Kind::received:
      return tell(events.received, std::move(event.topic), std::move(event.payload));
  }
}

MqttClient::MqttClient(std::unique_ptr<Paho> paho) : paho_{std::move(paho)} {}

MqttClient::~MqttClient() { paho_->postbox->close(); }

Result<std::unique_ptr<MqttClient>> MqttClient::connect(EventLoop& loop, FileDescriptor end, Options options, Events events) {
  auto reservation = TRY(ReservedConnection::make(std::move(end)));
  auto paho = std::make_unique<Paho>(loop, std::move(options), std::move(events), std::move(reservation));
  std::unique_ptr<MqttClient> client{new MqttClient{std::move(paho)}};
  try {
    client->paho_->open();
  } catch (const std::exception& exception) {
    return paho_error("MQTT connect", exception);
  }
  return client;
}

Result<void> MqttClient::publish(std::uint32_t number, const Link::Message& message) {
  try {
    auto paho_message = mqtt::message::create(message.topic, message.payload.data(), message.payload.size(), message.qos,
                                              message.retain);
    if (paho_->options.version == LinkOptions::MqttVersion::v5 && !message.content_type.empty()) {
      mqtt::properties properties;
      properties.add(mqtt::property{mqtt::property::CONTENT_TYPE, message.content_type});
      paho_message->set_properties(std::move(properties));
    }
    paho_->client->publish(std::move(paho_message), as_context(number), paho_->publish_listener);
  } catch (const mqtt::exception& exception) {
    const bool full = exception.get_return_code() == MQTTASYNC_MAX_BUFFERED_MESSAGES ||
                      exception.get_return_code() == MQTTASYNC_NO_MORE_MSGIDS;
    return Error{full ? ErrorKind::Full : ErrorKind::Unavailable, std::string{"MQTT publish: "} + exception.what()};
  } catch (const std::exception& exception) {
    return paho_error("MQTT publish", exception);
  }
  return {};
}

Result<void> MqttClient::subscribe(const std::string& filter, int qos) {
  try {
    paho_->filters.push_back(filter);
    paho_->client->subscribe(filter, qos, as_context(static_cast<std::uint32_t>(paho_->filters.size() - 1)),
                             paho_->subscribe_listener);
  } catch (const std::exception& exception) {
    return paho_error("MQTT subscribe", exception);
  }
  return {};
}

const std::string& MqttClient::stand_in_host() const noexcept { return paho_->stand_in; }
std::uint64_t MqttClient::received_dropped() const { return paho_->postbox->dropped(); }

}  // namespace fieldpost
