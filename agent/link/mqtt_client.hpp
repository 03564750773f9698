// SPDX-License-Identifier: Apache-2.0
// One MQTT connection through Paho, over a descriptor that is connected already. Made for one
// connection and destroyed with it: Paho's C++ client keeps the tokens of publishes that a lost
// connection never answered, and only its end sets them free.
//
// Paho calls back on threads of its own, under its global lock. Nothing of ours runs there but
// "put it into the postbox, wake the loop"; and nothing here calls Paho except on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/link/link.hpp"
#include "agent/link/mqtt_reason.hpp"
#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// What a CONNACK of MQTT 5 asks of us; nothing where the broker did not say.
struct MqttBrokerLimits {
  std::optional<std::uint16_t> receive_maximum;    ///< messages in flight
  std::optional<std::uint32_t> packet_bytes_max;   ///< a longer packet makes it end the connection
};

class MqttClient {
 public:
  struct Options {
    LinkOptions::MqttVersion version = LinkOptions::MqttVersion::v5;
    MqttPeer peer;
    std::string username;
    std::string password;
    seconds keep_alive{60};
    seconds connect_timeout{30};
    std::optional<LinkOptions::Will> will;
    std::size_t in_flight_messages_max = 20;
    bool websocket = false;
    std::uint16_t port = 0;      ///< for the WebSocket's Host header
    std::string path;            ///< of the WebSocket
  };

  /// Run on the loop, and not after the client is gone.
  struct Events {
    std::function<void(const MqttBrokerLimits& limits)> connected;
    /// The broker said no; or, without an error, the connection broke before it said anything.
    std::function<void(std::optional<Error>)> refused;
    /// The connection that stood is gone; with the broker's reason if it gave one.
    std::function<void(std::optional<Error>)> lost;
    std::function<void(std::uint32_t number, Result<void>)> published;
    std::function<void(const std::string& filter, Result<void>)> subscribed;
    std::function<void(const std::string& topic, const std::string& payload)> received;
  };

  /// Begins to connect over `end`. `loop` is lent and outlives the client.
  /// Errors: Bug, Full  with Paho's words
  static Result<std::unique_ptr<MqttClient>> connect(EventLoop& loop, FileDescriptor end, Options options, Events events);
  /// Says DISCONNECT when connected, and closes the descriptor.
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  /// `number` comes back with published(); not 0.
  Result<void> publish(std::uint32_t number, const Link::Message& message);
  Result<void> subscribe(const std::string& filter, int qos);

  /// The host name that stands in a WebSocket request instead of the broker's.
  const std::string& stand_in_host() const noexcept;

  /// Received and not yet taken by the loop; what exceeds it is dropped and counted.
  static constexpr std::size_t kReceivedBytesMax = 4U << 20U;
  std::uint64_t received_dropped() const;

 private:
  struct Paho;
  explicit MqttClient(std::unique_ptr<Paho> paho);
  std::unique_ptr<Paho> paho_;
};

}  // namespace fieldpost
