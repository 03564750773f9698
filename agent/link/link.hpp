// SPDX-License-Identifier: Apache-2.0
// One MQTT connection over our own TLS transport, as the rest of the agent sees it. It connects,
// reports precisely why it could not, and tells when a publish was acknowledged. It never retries a
// publish and never stores one: the outbox owns delivery. It reconnects by itself, with full-jitter
// back-off, for as long as it is started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/event_loop.hpp"
#include "platform/log.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct LinkOptions {
  enum class MqttVersion : std::uint8_t { v3_1_1, v5 };
  enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

  /// mqtts://host:8883, wss://host:443/mqtt; mqtt:// and ws:// only with plaintext_allowed.
  std::string url;
  bool plaintext_allowed = false;
  std::string client_id;
  MqttVersion mqtt_version = MqttVersion::v5;
  seconds keep_alive{60};
  std::string username;  ///< some brokers want one beside the certificate
  std::string password;

  std::string ca_file;           ///< PEM bundle; empty: the system's
  std::string certificate_file;  ///< client chain, leaf first
  std::string key_file;          ///< PEM: PKCS#8 (plain or encrypted), SEC1, PKCS#1
  std::string key_password;
  std::string crl_file;          ///< PEM or DER; empty: none
  std::string server_name;       ///< SNI and name to check, when not the URL's host
  std::vector<std::string> alpn; ///< "x-amzn-mqtt-ca" for AWS on 443
  TlsVersion tls_min = TlsVersion::v1_2;
  TlsVersion tls_max = TlsVersion::v1_3;

  /// Published by the broker when we are lost without a goodbye.
  struct Will {
    std::string topic;
    std::string payload;
    int qos = 1;
    bool retain = false;
  };
  std::optional<Will> will;

  std::string proxy;  ///< http://[user:password@]host:port; empty: none

  seconds connect_timeout{30};    ///< look-up, dial, proxy, TLS and MQTT CONNECT together
  seconds acknowledge_timeout{20};///< a publish without PUBACK for so long: close and reconnect
  milliseconds backoff_first{1'000};
  milliseconds backoff_max{120'000};

  std::size_t in_flight_messages_max = 20;
  /// Less than the socket pair and our queue hold, so that Paho's write never blocks
  /// (reference: Paho resumes a blocked write only once per poll cycle).
  std::size_t in_flight_bytes_max = 384U << 10U;
};

enum class LinkState : std::uint8_t { stopped, connecting, connected, waiting };

std::string_view to_string(LinkState state) noexcept;

struct LinkStatus {
  LinkState state = LinkState::stopped;
  std::string peer;        ///< "broker.example:8883 (192.0.2.7)"
  std::string tls;         ///< "TLS 1.3, TLS1-3-AES-256-GCM-SHA384, resumed"
  std::string last_error;  ///< one sentence that says what to do; empty after success
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;
  std::uint64_t bytes_sent = 0;      ///< TLS records, on the wire
  std::uint64_t bytes_received = 0;
  BootTime since;                    ///< of the present state
  std::optional<BootTime> next_attempt;
};

class Link {
 public:
  /// What became of a publish: acknowledged, or not (and then it must be sent again, later).
  /// Errors: OutOfRange, Malformed  the broker refused it and always will: too large, not a payload for it
  ///         Io                     the connection was lost first, or the link stopped
  ///         others                 the broker refused it, though it may have hung up since; an operator
  ///                                or time may mend that
  using PublishDone = std::function<void(Result<void>)>;

  /// What is urgent finds room in the window where others do not: those keep some free for it, and no more on their
  /// way than the link moves in about a second, for nothing overtakes what is.
  enum class Urgency : std::uint8_t { ordinary, urgent };

  struct Message {
    std::string topic;
    std::string payload;
    int qos = 1;  ///< or 0
    bool retain = false;
    std::string content_type;  ///< MQTT 5 property; ignored in 3.1.1
    Urgency urgency = Urgency::ordinary;
  };

  /// References are lent and outlive the link.
  /// Errors: OutOfRange (URL, versions), NotPresent/Denied/Malformed (files), each naming the option
  static Result<std::unique_ptr<Link>> make(EventLoop& loop, Log& log, LinkOptions options);
  virtual ~Link() = default;

  virtual void start() = 0;
  /// Disconnects in order, within one second; `done` runs once it is down.
  virtual void stop(std::function<void()> done) = 0;

  /// Takes a message when connected and inside the in-flight window; otherwise returns Unavailable
  /// or Full at once and `done` is not called; OutOfRange if it is larger than this broker takes.
  /// `done` runs on the loop, once.
  virtual Result<void> publish(Message message, PublishDone done) = 0;

  /// Renewed by itself after every reconnect. `receive` runs on the loop.
  virtual void subscribe(std::string filter, int qos,
                         std::function<void(std::string_view topic, std::string_view payload)> receive) = 0;

  /// False from the instant at which nothing can be published any more: may precede the change of state.
  virtual bool connected() const = 0;
  /// Room left in the in-flight window, in messages; 0 when not connected.
  virtual std::size_t window(Urgency urgency) const = 0;
  /// The payload for which publish() would have room now, about; without a bound while nothing is in flight.
  virtual std::size_t window_bytes(Urgency urgency) const = 0;
  virtual LinkStatus status() const = 0;

  /// Before each connection `next` is asked for the will of it, in place of LinkOptions::will. A link that has no wills
  /// (of a test) never asks.
  virtual void use_will(std::function<LinkOptions::Will()> /*next*/) {}

  /// Runs on every change of state.
  virtual void on_change(std::function<void(LinkState)> listener) = 0;
  /// Runs after each answer to a publish, whoever's it was: there may be room in the window for another.
  virtual void on_room(std::function<void()> listener) = 0;
};

}  // namespace fieldpost
