// SPDX-License-Identifier: Apache-2.0
// What is packed comes back, and what is damaged is Malformed.
#include "agent/store/compression.hpp"

#include <random>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::vector<std::byte> repeating(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 7);
  return bytes;
}

TEST(Compression, GivesBackWhatItPacked) {
  for (const std::size_t size : {100U, 4'096U, 1'000'000U}) {
    const auto packed = compress(repeating(size));
    ASSERT_TRUE(packed) << size;
    EXPECT_LT(packed->size(), size);
    EXPECT_EQ(decompress(*packed, size).value(), repeating(size));
  }
}

TEST(Compression, LeavesAloneWhatItWouldMakeLonger) {
  EXPECT_FALSE(compress({}));
  EXPECT_FALSE(compress(repeating(1)));
  std::mt19937_64 chance{1};
  std::vector<std::byte> noise(10'000);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(chance());
  EXPECT_FALSE(compress(noise));
}

TEST(Compression, CallsAWrongLengthMalformed) {
  const auto packed = compress(repeating(1'000)).value();
  for (const std::size_t wrong : {0U, 999U, 1'001U, 100'000U}) EXPECT_EQ(decompress(packed, wrong).error().kind(), ErrorKind::Malformed) << wrong;
}

TEST(Compression, CallsDamageMalformedOrGivesSomethingOfTheRightLength) {
  const auto packed = compress(repeating(1'000)).value();
  for (std::size_t length = 0; length < packed.size(); ++length) {
    EXPECT_EQ(decompress(std::span{packed}.first(length), 1'000).error().kind(), ErrorKind::Malformed) << length;
  }
  // zstd bears no checksum here: the segment's CRC stands before it.
  for (std::size_t at = 0; at < packed.size(); ++at) {
    auto damaged = packed;
    damaged[at] ^= std::byte{0xFF};
    const auto plain = decompress(damaged, 1'000);
    EXPECT_TRUE(plain ? plain->size() == 1'000 : plain.error().kind() == ErrorKind::Malformed) << at;
  }
}

}  // namespace
}  // namespace fieldpost
