// SPDX-License-Identifier: Apache-2.0
// Streams as brokers send them, whole and byte by byte, and those that announce what nobody asked for.
#include "agent/link/packet_guard.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes packet(std::uint64_t announced, std::size_t present) {
  Bytes bytes{0x30};
  std::uint64_t rest = announced;
  do {
    bytes.push_back(static_cast<std::uint8_t>((rest & 0x7FU) | (rest > 0x7F ? 0x80U : 0U)));
    rest >>= 7U;
  } while (rest > 0);
  bytes.resize(bytes.size() + present, 0xFF);
  return bytes;
}

Bytes frame(std::uint8_t opcode, const Bytes& payload) {
  Bytes bytes{static_cast<std::uint8_t>(0x80U | opcode)};
  if (payload.size() < 126) {
    bytes.push_back(static_cast<std::uint8_t>(payload.size()));
  } else {
    bytes.push_back(127);
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(std::uint64_t{payload.size()} >> static_cast<unsigned>(shift)));
  }
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

const Bytes kHead = [] {
  const std::string head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  return Bytes{head.begin(), head.end()};
}();

/// The answer must not depend on how the bytes are cut.
bool taken(bool websocket, const Bytes& bytes) {
  PacketGuard whole{websocket};
  const bool all = whole.look(bytes).has_value();
  for (const std::size_t portion : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
    PacketGuard cut{websocket};
    bool in_parts = true;
    for (std::size_t at = 0; at < bytes.size() && in_parts; at += portion) {
      in_parts = cut.look(std::span{bytes}.subspan(at, std::min(portion, bytes.size() - at))).has_value();
    }
    EXPECT_EQ(in_parts, all) << "in portions of " << portion;
  }
  return all;
}

TEST(PacketGuard, LetsABrokerSendWhatItHasReasonFor) {
  PacketGuard guard{false};
  const Bytes good{0x20, 3, 0, 0, 0, 0x40, 2, 0, 1, 0x40, 4, 0, 2, 0, 0, 0xD0, 0, 0x32, 7, 0, 1, 'x', 0, 1, 0, 'y', 0xE0, 0, 0xE0, 1, 0x87};
  EXPECT_TRUE(guard.look(good).has_value());
  guard.expect_subscription();
  EXPECT_TRUE(guard.look(Bytes{0x90, 4, 0, 1, 0, 1}).has_value());
}

TEST(PacketGuard, RefusesWhatPahoWouldTakeForAnAcknowledgement) {
  for (const unsigned first : std::vector<unsigned>{0x00, 0x10, 0x50, 0x62, 0x70, 0x82, 0x90, 0xA2, 0xB0, 0xC0, 0xF0}) {
    EXPECT_FALSE(taken(false, Bytes{static_cast<std::uint8_t>(first), 3, 0, 1, 0})) << first;
  }
  PacketGuard guard{false};
  guard.expect_subscription();
  EXPECT_TRUE(guard.look(Bytes{0x90, 4, 0, 1, 0, 1}).has_value());
  EXPECT_FALSE(guard.look(Bytes{0x90, 4, 0, 2, 0, 1}).has_value()) << "one was asked for";
}

TEST(PacketGuard, RefusesPacketsTooShortForWhatTheyMustBear) {
  for (const Bytes& bytes : {Bytes{0x40, 0}, Bytes{0x40, 1, 0}, Bytes{0x20, 0}, Bytes{0x20, 1, 0}, Bytes{0x30, 1, 0}, Bytes{0xD0, 1, 0}}) {
    EXPECT_FALSE(taken(false, bytes));
  }
}

TEST(PacketGuard, LetsPacketsOfAnyAllowedLengthPass) {
  EXPECT_TRUE(taken(false, joined({packet(2, 2), packet(3, 3), packet(127, 127), packet(128, 128), packet(20'000, 20'000), packet(2, 2)})));
  EXPECT_TRUE(taken(false, packet(PacketGuard::kPacketBytesMax, 10)));
}

TEST(PacketGuard, RefusesAPacketThatIsTooLongAtItsLength) {
  EXPECT_FALSE(taken(false, packet(PacketGuard::kPacketBytesMax + 1, 0)));
  EXPECT_FALSE(taken(false, joined({packet(200, 200), packet(268'435'455, 0)})));
}

TEST(PacketGuard, RefusesALengthThatNeverEnds) {
  EXPECT_FALSE(taken(false, Bytes{0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}));
  EXPECT_FALSE(taken(true, joined({kHead, frame(2, Bytes{0x30, 0xFF, 0xFF, 0xFF, 0xFF})})));
}

TEST(PacketGuard, LooksIntoWebSocketFramesHoweverPacketsLieInThem) {
  const Bytes two = joined({packet(300, 300), packet(5, 5)});
  const Bytes first{two.begin(), two.begin() + 2};
  const Bytes second{two.begin() + 2, two.begin() + 200};
  const Bytes third{two.begin() + 200, two.end()};
  EXPECT_TRUE(taken(true, joined({kHead, frame(2, first), frame(9, Bytes(20, 0xFF)), frame(0, second), frame(0, {}), frame(0, third)})));
  EXPECT_FALSE(taken(true, joined({kHead, frame(2, first), frame(9, Bytes(20, 0xFF)), frame(0, second), frame(0, third),
                                   frame(2, packet(PacketGuard::kPacketBytesMax + 1, 0))})));
}

TEST(PacketGuard, RefusesAFrameThatIsTooLong) {
  EXPECT_FALSE(taken(true, joined({kHead, Bytes{0x82, 127, 0, 0, 0, 0, 0x10, 0, 0, 0}})));
  EXPECT_TRUE(taken(true, joined({kHead, Bytes{0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 5}})));
}

TEST(PacketGuard, RefusesAHeadWithoutAnEnd) {
  EXPECT_FALSE(taken(true, Bytes(PacketGuard::kHeadBytesMax + 1, 'x')));
}

}  // namespace
}  // namespace fieldpost
