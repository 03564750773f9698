// SPDX-License-Identifier: Apache-2.0
#include "agent/link/socket_address.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace fieldpost {
namespace {

TEST(SocketAddress, ReadsAndWritesBothFamilies) {
  EXPECT_EQ(parse_address("192.0.2.7", 8883)->text(), "192.0.2.7:8883");
  EXPECT_EQ(parse_address("2001:db8:0::7", 8883)->text(), "[2001:db8::7]:8883");
  EXPECT_EQ(parse_address("2001:db8::7", 1)->host_text(), "2001:db8::7");
  EXPECT_EQ(parse_address("fe80::1%lo", 1)->scope, 1U);
}

TEST(SocketAddress, TakesNoNameForAnAddress) {
  for (const char* name : {"", "localhost", "192.0.2", "192.0.2.256", "2001:db8:::7", "fe80::1%no-such-interface", "1"}) {
    EXPECT_FALSE(parse_address(name, 1)) << name;
  }
}

TEST(SocketPair, HoldsWhatItPromises) {
  auto pair = make_socket_pair();
  ASSERT_TRUE(pair);
  ASSERT_GE(pair->bytes_held, 128U << 10U);
  // A window of messages as MqttLink counts it: bytes and 1 KiB each.
  for (const std::size_t size : {200U, 1'000U, 4'000U, 60'000U}) {
    auto fresh = make_socket_pair();
    const std::vector<char> message(size, 'x');
    for (std::size_t charged = 0; charged + size + 1024 <= fresh->bytes_held; charged += size + 1024) {
      ASSERT_EQ(::write(fresh->theirs.get(), message.data(), size), static_cast<ssize_t>(size)) << size << " after " << charged;
    }
  }
}

TEST(SocketAddress, SaysAtOnceWhenThereIsNoRoute) {
  // 255.255.255.255 wants a permission nobody gave: an answer without any network.
  const auto started = start_connect(*parse_address("255.255.255.255", 1));
  EXPECT_FALSE(started.socket);
  EXPECT_NE(started.error_number, 0);
}

}  // namespace
}  // namespace fieldpost
