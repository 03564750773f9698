// SPDX-License-Identifier: Apache-2.0
#include "agent/link/connector.hpp"

#include <algorithm>

#include "agent/link/http_proxy.hpp"

namespace fieldpost {

namespace {

/// Records are enciphered at most 64 KiB ahead (relay.cpp); the rest is room for one more and for a
/// handshake's chain of certificates.
constexpr Wire::Bounds kBrokerBounds{.incoming_bytes_max = 64U << 10U, .outgoing_bytes_max = 160U << 10U};

std::string seconds_text(nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<seconds>(time).count()) + " s";
}

}  // namespace

Connector::Connector(EventLoop& loop, NameResolver& resolver, Target target)
    : loop_{loop}, resolver_{resolver}, target_{std::move(target)}, dialler_{loop} {}

std::string Connector::called() const {
  return step_ == Step::proxy || (target_.proxy && step_ == Step::dial) ? "the proxy " + dialled().text()
                                                                       : target_.broker.at.text();
}

void Connector::connect(nanoseconds time, Done done) {
  time_ = time;
  deadline_ = loop_.clock().now() + time;
  done_ = std::move(done);
  timer_ = loop_.after(time, [this] { fail(timed_out()); });
  look_up_ = resolver_.resolve(dialled().host, dialled().port, [this](Result<NameResolver::Addresses> addresses) {
    if (!addresses) {
      fail(addresses.error());
    } else {
      dial(std::move(*addresses));
    }
  });
}

void Connector::dial(NameResolver::Addresses addresses) {
  step_ = Step::dial;
  const auto left = deadline_ - loop_.clock().now();
  dialler_.dial(called(), std::move(addresses), left, [this](Result<Dialler::Connected> result) {
    if (!result) {
      fail(result.error());
    } else {
      connected(std::move(*result));
    }
  });
}

void Connector::connected(Dialler::Connected connected) {
  const auto address = connected.address.host_text();
  peer_ = target_.broker.at.text();
  if (target_.proxy) {
    peer_ += " (by proxy " + target_.proxy->at.text() + ")";
  } else if (address != target_.broker.at.host) {
    peer_ += " (" + address + ")";
  }
  wire_ = std::make_unique<Wire>(loop_, std::move(connected.socket), kBrokerBounds);
  if (target_.proxy) {
    begin_proxy();
  } else {
    begin_handshake();
  }
}

void Connector::begin_proxy() {
  step_ = Step::proxy;
  const auto request = proxy_request(*target_.proxy, target_.broker.at);
  wire_->outgoing().push({reinterpret_cast<const std::uint8_t*>(request.data()), request.size()});
  wire_->on_change([this] { proxy_answered(); });
  wire_->pump();
}

void Connector::proxy_answered() {
  auto& incoming = wire_->incoming();
  if (!incoming.empty()) {
    const auto head = parse_proxy_answer(incoming.front(), *target_.proxy, target_.broker.at);
    if (!head) {
      fail(head.error());
      return;
    }
    if (*head) {
      incoming.pop(**head);
      bytes_of_proxy_ = wire_->bytes_received() - incoming.size();
      begin_handshake();
      return;
    }
  }
  if (wire_->peer_finished() || wire_->failure()) {
    fail(Error{ErrorKind::Unavailable, called() + " hung up instead of making a tunnel; check its host, port and rules"});
  }
}

void Connector::begin_handshake() {
  step_ = Step::handshake;
  if (target_.settings == nullptr) {
    finish();
    return;
  }
  const auto& name = target_.server_name.empty() ? target_.broker.at.host : target_.server_name;
  auto session = TlsSession::make(*target_.settings, loop_.clock(), {target_.broker.at.text(), name}, wire_->incoming(),
                                  wire_->outgoing());
  if (!session) {
    fail(session.error());
    return;
  }
  session_ = std::move(*session);
  wire_->on_change([this] { handshake_step(); });
  handshake_step();
}

void Connector::handshake_step() {
  const auto result = session_->shake_hands();
  wire_->pump();  // also after a failure: the alert tells the broker why
  if (!result) {
    fail(result.error());
  } else if (*result == TlsSession::Handshake::done) {
    finish();
  } else if (wire_->peer_finished() || wire_->failure()) {
    fail(session_->hung_up());
  }
}

void Connector::finish() {
  timer_.reset();
  Connection connection;
  connection.peer = peer_;
  wire_->on_change({});
  if (session_) {
    connection.tls = session_->description();
    connection.certificate_early = session_->certificate_early();
    connection.records = std::move(session_);
  } else {
    connection.records = std::make_unique<PlainRecords>(wire_->incoming(), wire_->outgoing());
  }
  connection.wire = std::move(wire_);
  auto done = std::exchange(done_, nullptr);
  // Posted, so that whoever called us (a watch of the wire, say) is out of the way.
  auto shared = std::make_shared<Connection>(std::move(connection));
  timer_ = loop_.after(nanoseconds{0}, [done = std::move(done), shared] { auto call = done; call(std::move(*shared)); });
}

void Connector::fail(Error error) {
  auto done = std::exchange(done_, nullptr);
  if (!done) return;
  look_up_.reset();
  if (wire_) wire_->on_change({});
  timer_ = loop_.after(nanoseconds{0}, [done = std::move(done), error = std::move(error)] { auto call = done; call(error); });
}

Error Connector::timed_out() const {
  const auto within = " within " + seconds_text(time_);
  switch (step_) {
    case Step::look_up:
      return Error{ErrorKind::Timeout, "the name '" + dialled().host + "' was not resolved" + within +
                                           "; check that the DNS server of this device answers"};
    case Step::dial:
      return Error{ErrorKind::Timeout, called() + " did not answer" + within +
                                           "; check the address, and that no firewall is in between"};
    case Step::proxy:
      return Error{ErrorKind::Timeout, called() + " did not answer our CONNECT" + within + "; check its host and port"};
    case Step::handshake:
      break;
  }
  if (wire_ && wire_->bytes_received() == bytes_of_proxy_) {
    return Error{ErrorKind::Timeout, called() + " accepted the connection but did not answer our TLS greeting" + within +
                                         "; check that this is the broker's TLS port"};
  }
  return Error{ErrorKind::Timeout, "the TLS handshake with " + called() + " stood still for" + within.substr(7) +
                                       "; check the network (a small MTU is a usual cause)"};
}

}  // namespace fieldpost
