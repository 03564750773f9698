// SPDX-License-Identifier: Apache-2.0
#include "agent/sync/protobuf.hpp"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace fieldpost::protobuf {
namespace {

TEST(Protobuf, WritesWhatTheSpecificationShows) {
  std::string bytes;
  put_number(bytes, 1, 150);  // developers.google.com/protocol-buffers/docs/encoding: 08 96 01
  EXPECT_EQ(bytes, "\x08\x96\x01");
  bytes.clear();
  put_bytes(bytes, 2, "testing");
  EXPECT_EQ(bytes, "\x12\x07testing");
  bytes.clear();
  put_double(bytes, 13, 1.0);
  EXPECT_EQ(bytes, std::string("\x69\0\0\0\0\0\0\xF0\x3F", 9));
}

TEST(Protobuf, ReadsWhatItWrote) {
  std::string bytes;
  put_number(bytes, 11, std::numeric_limits<std::uint64_t>::max());
  put_double(bytes, 13, 2.5);
  put_bytes(bytes, 4'000, "text");
  Reader reader{bytes};
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 11U);
  EXPECT_EQ(reader.number(), std::numeric_limits<std::uint64_t>::max());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 13U);
  EXPECT_FALSE(reader.number().has_value());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 4'000U);
  EXPECT_EQ(reader.bytes(), "text");
  EXPECT_FALSE(reader.next());
}

TEST(Protobuf, EndsWhereTheBytesMakeNoSense) {
  const std::string_view nonsense[] = {std::string_view{"\x80", 1}, std::string_view{"\x08", 1}, std::string_view{"\x12\x05" "abc", 5},
                                       std::string_view{"\x0B", 1}, std::string_view{"\x69" "1234567", 8},
                                       std::string_view{"\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01" "a", 12}};
  for (const std::string_view bytes : nonsense) EXPECT_FALSE(Reader{bytes}.next());
}

TEST(Protobuf, ReadsAnyBytesToAnEnd) {
  std::mt19937_64 chance{std::random_device{}()};
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(chance() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(chance());
    Reader reader{bytes};
    std::size_t fields = 0;
    while (reader.next()) ASSERT_LE(++fields, bytes.size());
  }
}

}  // namespace
}  // namespace fieldpost::protobuf
