// SPDX-License-Identifier: Apache-2.0
#include "agent/link/websocket_host.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(WebSocketHost, LetsAHeadWithoutAnEndPassOnceItIsTooLong) {
  WebSocketHost host{"stand-in", "real"};
  EXPECT_TRUE(host.rewrite(bytes(std::string(WebSocketHost::kHeadMax, 'x'))).empty());
  EXPECT_FALSE(host.done());
  EXPECT_EQ(host.rewrite(bytes("x")).size(), WebSocketHost::kHeadMax + 1);
  EXPECT_TRUE(host.done());
}

}  // namespace
}  // namespace fieldpost
