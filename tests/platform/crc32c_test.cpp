// SPDX-License-Identifier: Apache-2.0
// Known values, and that table and instruction agree.
#include "platform/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace fieldpost {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

TEST(Crc32c, KnowsTheVectorsOfRfc3720) {
  std::vector<std::byte> bytes(32, std::byte{0});
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAU);
  bytes.assign(32, std::byte{0xFF});
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43U);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46DD794EU);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(31 - i);
  EXPECT_EQ(crc32c(bytes), 0x113FDB5CU);
}

TEST(Crc32c, KnowsTheCheckValueOfTheCatalogue) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c_by_table(bytes_of("123456789")), 0xE3069283U);
}

TEST(Crc32c, IsZeroForNothing) {
  EXPECT_EQ(crc32c({}), 0U);
  EXPECT_EQ(crc32c_by_table({}), 0U);
}

TEST(Crc32c, AgreesWithItsTableAtEveryLengthAndAlignment) {
  const auto seed = std::random_device{}();
  std::mt19937 random{seed};
  std::vector<std::byte> bytes(300);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t length = 0; start + length <= bytes.size(); ++length) {
      const auto part = std::span{bytes}.subspan(start, length);
      ASSERT_EQ(crc32c(part), crc32c_by_table(part))
          << "seed " << seed << " start " << start << " length " << length;
    }
  }
}

TEST(Crc32c, CanBeTakenInParts) {
  const std::string_view text = "the post is late, but nothing is lost";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EXPECT_EQ(crc32c(bytes_of(text.substr(cut)), crc32c(bytes_of(text.substr(0, cut)))),
              crc32c(bytes_of(text)));
    EXPECT_EQ(crc32c_by_table(bytes_of(text.substr(cut)), crc32c_by_table(bytes_of(text.substr(0, cut)))),
              crc32c_by_table(bytes_of(text)));
  }
}

TEST(Crc32c, NoticesEachFlippedBit) {
  std::vector<std::byte> bytes(64, std::byte{0x5A});
  const std::uint32_t right = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_NE(crc32c(bytes), right);
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  }
}

}  // namespace
}  // namespace fieldpost
