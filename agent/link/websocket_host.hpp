// SPDX-License-Identifier: Apache-2.0
// Paho writes the host of its URI into the WebSocket request ("Host:", "Origin:"), and that host is
// the stand-in of connect_wrap. This puts the broker's real name back, in the request's head only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fieldpost {

class WebSocketHost {
 public:
  WebSocketHost(std::string stand_in, std::string real) : stand_in_{std::move(stand_in)}, real_{std::move(real)} {}

  /// True once the head has passed; from then on bytes need not come through here.
  bool done() const noexcept { return done_; }

  /// What to send for these bytes of Paho's. It holds back the head until it is whole; a head
  /// longer than kHeadMax passes as it is.
  std::vector<std::uint8_t> rewrite(std::span<const std::uint8_t> bytes);

  static constexpr std::size_t kHeadMax = 8U << 10U;

 private:
  std::string stand_in_;
  std::string real_;
  std::string head_;
  bool done_ = false;
};

}  // namespace fieldpost
