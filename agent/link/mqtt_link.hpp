// SPDX-License-Identifier: Apache-2.0
// The link itself: attempt, connect, serve, lose, wait, again. It joins the connector (up to TLS),
// the relay and Paho's client, and keeps what is in flight.
//
//   stopped --start--> connecting --CONNACK--> connected
//                        |    ^                   |
//                 failed |    | back-off          | lost, or no PUBACK in time
//                        v    |                   v
//                       waiting <-----------------+          stop(): from anywhere, in a second
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/link/backoff.hpp"
#include "agent/link/connector.hpp"
#include "agent/link/link.hpp"
#include "agent/link/mqtt_client.hpp"
#include "agent/link/name_resolver.hpp"
#include "agent/link/pace.hpp"
#include "agent/link/relay.hpp"

namespace fieldpost {

class MqttLink final : public Link {
 public:
  struct Parts {
    LinkOptions options;
    BrokerUrl broker;
    std::optional<ProxyUrl> proxy;
    std::unique_ptr<TlsSettings> settings;  ///< null without TLS
    NameResolver::LookUp look_up;
    Backoff::Random random;
  };

  MqttLink(EventLoop& loop, Log& log, Parts parts);
  ~MqttLink() override;

  void start() override;
  void stop(std::function<void()> done) override;
  Result<void> publish(Message message, PublishDone done) override;
  void subscribe(std::string filter, int qos,
                 std::function<void(std::string_view, std::string_view)> receive) override;
  bool connected() const override { return state_ == LinkState::connected && client_ && !relay_end_; }
  std::size_t window(Urgency urgency) const override;
  std::size_t window_bytes(Urgency urgency) const override;
  LinkStatus status() const override;
  void use_will(std::function<LinkOptions::Will()> next) override { next_will_ = std::move(next); }
  void on_change(std::function<void(LinkState)> listener) override { listeners_.push_back(std::move(listener)); }
  void on_room(std::function<void()> listener) override { room_listeners_.push_back(std::move(listener)); }

  /// What a message costs the socket pair beside its bytes (measured: the kernel's account of a
  /// small write is up to 1,280 bytes).
  static constexpr std::size_t kMessageOverhead = 1U << 10U;
  static constexpr std::size_t kMessageBytesMax = 32U << 20U;
  /// Of a PUBLISH beside topic, payload and content type: 1 + 4 of the fixed header, 2 + 2 of the topic's
  /// length and the number, 1 + 1 + 2 of the properties.
  static constexpr std::size_t kPublishOverhead = 13;
  /// Of the window, in messages and in bytes: kept free for what is urgent.
  static constexpr std::size_t kUrgentShare = 8;

 private:
  struct InFlight {
    BootTime published;
    std::size_t cost;
    PublishDone done;
    Pace::Mark mark;
  };
  struct Filter {
    std::string filter;
    int qos;
    std::function<void(std::string_view, std::string_view)> receive;
  };

  void attempt();
  Result<void> reload_settings();
  void transport_ready(Connector::Connection connection);
  MqttClient::Events client_events();
  void mqtt_connected(const MqttBrokerLimits& limits);
  void message_received(const std::string& topic, const std::string& payload);
  void message_answered(std::uint32_t number, const Result<void>& result);
  void relay_ended(Relay::End end);
  void broken(Error error);
  void wait_and_retry();
  void fail_all_in_flight(const Error& error);
  void watch_acknowledgements();
  void drop_connection();
  void finish_stop();
  void change(LinkState state);
  MqttPeer mqtt_peer() const;
  Error lost_error(const std::optional<Error>& said) const;

  EventLoop& loop_;
  Log& log_;
  LinkOptions options_;
  BrokerUrl broker_;
  std::optional<ProxyUrl> proxy_;
  std::unique_ptr<TlsSettings> settings_;
  NameResolver resolver_;
  Backoff backoff_;

  LinkStatus status_;
  LinkState state_ = LinkState::stopped;
  bool wanted_ = false;
  bool mqtt_answered_ = false;
  std::vector<std::function<void(LinkState)>> listeners_;
  std::vector<std::function<void()>> room_listeners_;
  std::vector<Filter> filters_;
  std::function<LinkOptions::Will()> next_will_;
  std::vector<std::function<void()>> stop_done_;

  BootTime deadline_;                       // of the present attempt
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<MqttClient> client_;
  std::optional<Relay::End> relay_end_;     // while Paho's last word is awaited

  std::map<std::uint32_t, InFlight> in_flight_;  // by number, so oldest first
  std::uint32_t last_number_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::size_t in_flight_bytes_max_ = 0;     // of this connection: what its pair holds
  std::size_t in_flight_messages_max_ = 0;
  std::size_t packet_bytes_max_ = 0;        // of this connection's broker
  Pace pace_;
  BootTime last_progress_;
  std::uint64_t delivered_before_ = 0;

  Subscription timer_;                      // of the state: deadline, back-off, last word, stop
  Subscription acknowledge_timer_;
};

}  // namespace fieldpost
