// SPDX-License-Identifier: Apache-2.0
#include "hal/network/netlink.hpp"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <array>
#include <random>

#include "tests/hal/network/netlink_bytes.hpp"

namespace fieldpost {
namespace {

TEST(NetlinkMessages, AreWalkedOneByOne) {
  Bytes datagram = message_of(20, text_bytes("ab"));
  const Bytes second = message_of(21, text_bytes("c"));
  datagram.insert(datagram.end(), second.begin(), second.end());
  NetlinkMessages messages{datagram};
  const auto first = messages.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, 20);
  EXPECT_EQ(first->payload.size(), 3U);
  EXPECT_EQ(messages.next()->type, 21);
  EXPECT_FALSE(messages.next());
}

TEST(NetlinkMessages, EndWhereALengthLies) {
  for (const std::uint32_t length : {0U, 15U, 1000U, 0xFFFFFFFFU}) {
    Bytes datagram = message_of(20, text_bytes("ab"));
    std::memcpy(datagram.data(), &length, sizeof(length));
    EXPECT_FALSE(NetlinkMessages{datagram}.next()) << length;
  }
  EXPECT_FALSE(NetlinkMessages{Bytes(15)}.next());
}

TEST(NetlinkAttributes, EndWhereALengthLies) {
  Bytes attributes;
  add_attribute(attributes, 3, text_bytes("eth0"));
  add_attribute(attributes, 4, {});
  NetlinkAttributes walk{attributes};
  EXPECT_EQ(walk.next()->text(), "eth0");
  const auto empty = walk.next();
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->as<std::uint8_t>(), std::nullopt);
  EXPECT_EQ(empty->text(), "");
  EXPECT_FALSE(walk.next());
  for (const std::uint16_t length : std::array<std::uint16_t, 4>{0, 3, 200, 65535}) {
    std::memcpy(attributes.data(), &length, sizeof(length));
    EXPECT_FALSE(NetlinkAttributes{attributes}.next()) << length;
  }
}

TEST(NetlinkAttributes, SurviveRandomBytes) {
  std::mt19937 random{20261120};
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes(random() % 64);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 16 == 0 ? random() : random() % 9);
    NetlinkAttributes walk{bytes};
    std::size_t steps = 0;
    while (walk.next()) ASSERT_LT(++steps, 64U);
  }
}

class Ignoring final : public NetlinkListener {
 public:
  void answer(const NetlinkMessage&) override { ++answers; }
  int answers = 0;
};

TEST(NetlinkSocket, TellsWhatTheKernelRefuses) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE, 0);
  ASSERT_TRUE(socket) << socket.error().sentence();
  Ignoring listener;
  const auto answered = socket->ask(9999, 0, {}, listener);
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().kind(), ErrorKind::NotPresent) << answered.error().sentence();
  EXPECT_TRUE(socket->ask(RTM_GETLINK, NLM_F_DUMP, bytes_of(ifinfomsg{}), listener)) << "and works on";
  EXPECT_GT(listener.answers, 0);
  EXPECT_FALSE(NetlinkSocket::open(31, 0)) << "a protocol that no kernel has";
}

}  // namespace
}  // namespace fieldpost
