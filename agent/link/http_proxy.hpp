// SPDX-License-Identifier: Apache-2.0
// Asking an HTTP proxy for a tunnel (CONNECT, RFC 9110 section 9.3.6) with basic authentication
// (RFC 7617). Two pure functions: what to send, and what the answer means.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/link/link_url.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// RFC 4648 section 4.
std::string base64(std::string_view bytes);

std::string proxy_request(const ProxyUrl& proxy, const HostPort& broker);

/// Bytes of `answer` that the proxy's head takes up once the tunnel stands; none while more of the
/// head must come.
/// Errors: Denied       user or password are missing or wrong, or the proxy forbids this broker
///         Unavailable  the proxy could not reach the broker
///         Malformed    this is no HTTP proxy, or its head is longer than kProxyHeadMax
Result<std::optional<std::size_t>> parse_proxy_answer(std::span<const std::uint8_t> answer, const ProxyUrl& proxy,
                                                      const HostPort& broker);

constexpr std::size_t kProxyHeadMax = 16U << 10U;

}  // namespace fieldpost
