// SPDX-License-Identifier: Apache-2.0
// The broker's URL and the proxy's, taken apart and checked once, when the link is made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

struct HostPort {
  std::string host;  ///< without the brackets of an IPv6 address
  std::uint16_t port = 0;

  /// "broker.example:8883", "[2001:db8::7]:8883"
  std::string text() const;
};

struct BrokerUrl {
  HostPort at;
  bool tls = true;
  bool websocket = false;
  std::string path;  ///< of a WebSocket, with its "/"; empty otherwise
};

struct HttpUrl {
  HostPort at;
  bool tls = true;
  std::string path;  ///< with its "/" and its query

  std::uint16_t port_default() const noexcept { return tls ? 443 : 80; }
};

struct ProxyUrl {
  HostPort at;
  std::string username;
  std::string password;
};

/// mqtts://host[:8883], wss://host[:443]/path, and mqtt://host[:1883], ws://host[:80]/path, which
/// only `plaintext_allowed` lets through.
/// Errors: OutOfRange  with the part that is wrong and what to write instead
Result<BrokerUrl> parse_broker_url(std::string_view url, bool plaintext_allowed);

/// https://host[:443]/path, and http:// where `plaintext_allowed`.
/// Errors: OutOfRange
Result<HttpUrl> parse_http_url(std::string_view url, bool plaintext_allowed);

/// http://[user:password@]host[:3128]; user and password may be percent-encoded.
/// Errors: OutOfRange
Result<ProxyUrl> parse_proxy_url(std::string_view url);

}  // namespace fieldpost
