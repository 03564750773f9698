// SPDX-License-Identifier: Apache-2.0
#include "agent/link/link_url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fieldpost {

namespace {

Error wrong(std::string sentence) { return Error{ErrorKind::OutOfRange, std::move(sentence)}; }

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == ':' || c == '%';
}

Result<HostPort> parse_host_port(std::string_view authority, std::uint16_t port_default) {
  HostPort at;
  std::string_view port;
  bool port_given = false;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return wrong("the IPv6 address in the URL lacks its closing ']'");
    at.host = authority.substr(1, close - 1);
    auto rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("only ':port' may follow ']' in the URL");
    port_given = !rest.empty();
    if (port_given) port = rest.substr(1);
  } else {
    const auto colon = authority.find(':');
    if (colon != std::string_view::npos && authority.find(':', colon + 1) != std::string_view::npos) {
      return wrong("an IPv6 address in a URL stands in brackets: [" + std::string{authority} + "]");
    }
    at.host = authority.substr(0, colon);
    port_given = colon != std::string_view::npos;
    if (port_given) port = authority.substr(colon + 1);
  }
  if (at.host.empty()) return wrong("the URL names no host");
  constexpr std::size_t kHostMax = 253;  // RFC 1035
  if (at.host.size() > kHostMax) return wrong("the host name in the URL is longer than 253 characters");
  if (!std::all_of(at.host.begin(), at.host.end(), is_host_character)) {
    return wrong("the host '" + at.host + "' in the URL holds a character that no host name has");
  }
  at.port = port_default;
  if (port_given) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), at.port);
    if (error != std::errc{} || end != port.data() + port.size() || at.port == 0) {
      return wrong("the port '" + std::string{port} + "' in the URL is not a number from 1 to 65535");
    }
  }
  return at;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    decoded.push_back(static_cast<char>(value));
    i += 2;
  }
  return decoded;
}

/// It is copied into an HTTP request line.
Result<void> check_path(std::string_view path) {
  if (std::any_of(path.begin(), path.end(), [](char c) { return c <= ' ' || c == '\x7f'; })) {
    return wrong("the path in the URL holds a blank or a control character");
  }
  return {};
}

struct Scheme {
  std::string_view prefix;
  bool tls;
  bool websocket;
  std::uint16_t port_default;
};

constexpr Scheme kSchemes[] = {
    {"mqtts://", true, false, 8883},
    {"wss://", true, true, 443},
    {"mqtt://", false, false, 1883},
    {"ws://", false, true, 80},
};

}  // namespace

std::string HostPort::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<BrokerUrl> parse_broker_url(std::string_view url, bool plaintext_allowed) {
  const auto* scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                    [&](const Scheme& s) { return url.starts_with(s.prefix); });
  if (scheme == std::end(kSchemes)) {
    return wrong("the URL '" + std::string{url} + "' must start with mqtts:// or wss:// (mqtt:// or ws:// without TLS)");
  }
  if (!scheme->tls && !plaintext_allowed) {
    return wrong("the URL '" + std::string{url} +
                 "' asks for a connection without TLS; write mqtts:// or wss://, or set plaintext_allowed");
  }
  auto rest = url.substr(scheme->prefix.size());
  const auto slash = rest.find('/');
  const std::string_view path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return wrong("user and password do not belong in the URL; use username and password");
  }
  BrokerUrl parsed;
  parsed.tls = scheme->tls;
  parsed.websocket = scheme->websocket;
  parsed.at = TRY(parse_host_port(authority, scheme->port_default));
  if (scheme->websocket) {
    parsed.path = path.empty() ? "/mqtt" : std::string{path};
    TRY(check_path(path));
  } else if (!path.empty() && path != "/") {
    return wrong("only wss:// and ws:// URLs have a path; '" + std::string{path} + "' must go");
  }
  return parsed;
}

Result<HttpUrl> parse_http_url(std::string_view url, bool plaintext_allowed) {
  constexpr std::string_view kTls = "https://";
  constexpr std::string_view kPlain = "http://";
  HttpUrl parsed;
  parsed.tls = url.starts_with(kTls);
  if (!parsed.tls && !url.starts_with(kPlain)) return wrong("the URL '" + std::string{url} + "' must start with https://");
  if (!parsed.tls && !plaintext_allowed) return wrong("the URL '" + std::string{url} + "' asks for a connection without TLS; write https://");
  const auto rest = url.substr((parsed.tls ? kTls : kPlain).size());
  const auto slash = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) return wrong("user and password do not belong in the URL");
  parsed.at = TRY(parse_host_port(authority, parsed.port_default()));
  const std::string_view path = rest.substr(slash);
  TRY(check_path(path));
  parsed.path = path.starts_with('/') ? std::string{path} : "/" + std::string{path};
  return parsed;
}

Result<ProxyUrl> parse_proxy_url(std::string_view url) {
  constexpr std::string_view kPrefix = "http://";
  if (!url.starts_with(kPrefix)) {
    return wrong("the proxy's URL must start with http:// (the proxy itself is spoken to without TLS)");
  }
  auto rest = url.substr(kPrefix.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('/') != std::string_view::npos) return wrong("the proxy's URL must not have a path");
  ProxyUrl parsed;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto credentials = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    const auto colon = credentials.find(':');
    const auto username = percent_decoded(credentials.substr(0, colon));
    const auto password =
        colon == std::string_view::npos ? std::optional{std::string{}} : percent_decoded(credentials.substr(colon + 1));
    if (!username || !password) return wrong("user or password in the proxy's URL is not rightly percent-encoded");
    if (username->find(':') != std::string::npos) return wrong("the proxy's user name must not hold a ':' (RFC 7617)");
    parsed.username = *username;
    parsed.password = *password;
  }
  parsed.at = TRY(parse_host_port(rest, 3128).with_context("proxy"));
  return parsed;
}

}  // namespace fieldpost
