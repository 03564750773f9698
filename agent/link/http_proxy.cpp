// SPDX-License-Identifier: Apache-2.0
#include "agent/link/http_proxy.hpp"

#include <charconv>
#include <string_view>

namespace fieldpost {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text.push_back(i + k > bytes.size() ? '=' : kAlphabet[group >> (18U - 6U * k) & 63U]);
    }
  }
  return text;
}

std::string proxy_request(const ProxyUrl& proxy, const HostPort& broker) {
  std::string request = "CONNECT " + broker.text() + " HTTP/1.1\r\nHost: " + broker.text() + "\r\n";
  if (!proxy.username.empty()) {
    request += "Proxy-Authorization: Basic " + base64(proxy.username + ":" + proxy.password) + "\r\n";
  }
  return request + "\r\n";
}

Result<std::optional<std::size_t>> parse_proxy_answer(std::span<const std::uint8_t> answer, const ProxyUrl& proxy,
                                                      const HostPort& broker) {
  const std::string text{answer.begin(), answer.end()};
  constexpr std::string_view kVersion = "HTTP/1.";
  const auto who = "the proxy " + proxy.at.text();
  const Error no_http{ErrorKind::Malformed, who + " does not answer like an HTTP proxy; check its host and port"};
  if (text.compare(0, kVersion.size(), kVersion, 0, std::min(kVersion.size(), text.size())) != 0) return no_http;
  const auto head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    if (text.size() > kProxyHeadMax) return no_http;
    return std::optional<std::size_t>{};
  }
  const auto line = text.substr(0, text.find("\r\n"));
  int status = 0;
  constexpr std::size_t kStatusAt = 9;  // after "HTTP/1.1 "
  if (line.size() < kStatusAt + 3 ||
      std::from_chars(line.data() + kStatusAt, line.data() + kStatusAt + 3, status).ec != std::errc{}) {
    return no_http;
  }
  if (status >= 200 && status < 300) return std::optional{head_end + 4};
  const auto said = " (" + line + ")";
  if (status == 407) {
    return Error{ErrorKind::Denied, proxy.username.empty()
                                        ? who + " wants a user and a password" + said + "; put them into the proxy's URL"
                                        : who + " refused our user or password" + said + "; check them"};
  }
  if (status >= 500) {
    return Error{ErrorKind::Unavailable,
                 who + " could not reach " + broker.text() + said + "; check the broker's host and port"};
  }
  return Error{ErrorKind::Denied,
               who + " refused a tunnel to " + broker.text() + said + "; have the proxy allow this host and port"};
}

}  // namespace fieldpost
