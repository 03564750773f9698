// SPDX-License-Identifier: Apache-2.0
#include "agent/link/websocket_host.hpp"

namespace fieldpost {

std::vector<std::uint8_t> WebSocketHost::rewrite(std::span<const std::uint8_t> bytes) {
  head_.append(bytes.begin(), bytes.end());
  const auto end = head_.find("\r\n\r\n");
  if (end == std::string::npos && head_.size() <= kHeadMax) return {};
  done_ = true;
  if (end != std::string::npos) {
    auto limit = end;
    for (auto at = head_.find(stand_in_); at < limit; at = head_.find(stand_in_, at + real_.size())) {
      head_.replace(at, stand_in_.size(), real_);
      limit = limit - stand_in_.size() + real_.size();
    }
  }
  std::vector<std::uint8_t> out{head_.begin(), head_.end()};
  head_.clear();
  return out;
}

}  // namespace fieldpost
