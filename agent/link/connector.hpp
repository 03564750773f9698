// SPDX-License-Identifier: Apache-2.0
// From a URL to a connection that is ready for MQTT: look-up, dialling, proxy, TLS, one after the
// other on the event loop, under one deadline. What goes wrong is told with the step it went wrong in.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/link/dialler.hpp"
#include "agent/link/link_url.hpp"
#include "agent/link/name_resolver.hpp"
#include "agent/link/record_layer.hpp"
#include "agent/link/tls_session.hpp"
#include "agent/link/tls_settings.hpp"
#include "agent/link/wire.hpp"
#include "platform/event_loop.hpp"

namespace fieldpost {

class Connector {
 public:
  struct Target {
    BrokerUrl broker;
    std::optional<ProxyUrl> proxy;
    std::string server_name;         ///< empty: the URL's host
    TlsSettings* settings = nullptr; ///< lent; null without TLS
  };
  struct Connection {
    std::unique_ptr<Wire> wire;
    std::unique_ptr<RecordLayer> records;  ///< works on the wire's queues
    std::string peer;                      ///< "broker.example:8883 (192.0.2.7)"
    std::string tls;                       ///< "TLS 1.3, ..."; empty without
    bool certificate_early = false;        ///< see TlsSession::certificate_early()
  };
  using Done = std::function<void(Result<Connection>)>;

  /// `loop` and `resolver` are lent and outlive the connector. Destroying it gives up.
  Connector(EventLoop& loop, NameResolver& resolver, Target target);

  /// `done` runs on the loop, later, once; the connector may be destroyed in it.
  void connect(nanoseconds time, Done done);

  /// Bytes of a connection that did not come about.
  std::uint64_t bytes_sent() const noexcept { return wire_ ? wire_->bytes_sent() : 0; }
  std::uint64_t bytes_received() const noexcept { return wire_ ? wire_->bytes_received() : 0; }

 private:
  enum class Step : std::uint8_t { look_up, dial, proxy, handshake };

  const HostPort& dialled() const noexcept { return target_.proxy ? target_.proxy->at : target_.broker.at; }
  std::string called() const;
  void dial(NameResolver::Addresses addresses);
  void connected(Dialler::Connected connected);
  void begin_proxy();
  void proxy_answered();
  void begin_handshake();
  void handshake_step();
  void finish();
  void fail(Error error);
  Error timed_out() const;

  EventLoop& loop_;
  NameResolver& resolver_;
  Target target_;
  Done done_;
  Step step_ = Step::look_up;
  nanoseconds time_{};
  BootTime deadline_;
  std::string peer_;
  Dialler dialler_;
  std::unique_ptr<Wire> wire_;
  std::uint64_t bytes_of_proxy_ = 0;  ///< received before the handshake
  std::unique_ptr<TlsSession> session_;
  Subscription look_up_;
  Subscription timer_;
};

}  // namespace fieldpost
