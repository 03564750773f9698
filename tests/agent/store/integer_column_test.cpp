// SPDX-License-Identifier: Apache-2.0
// Differences, runs of zeros, and numbers at the ends of their range.
#include "agent/store/integer_column.hpp"

#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(IntegerColumn, GivesAnyIntegersBackInBothForms) {
  std::mt19937_64 chance{3};
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::int64_t> values(chance() % 40);
    const unsigned shift = static_cast<unsigned>(chance() % 64);
    for (auto& value : values) value = static_cast<std::int64_t>(chance() >> shift);
    if (round % 3 == 0 && values.size() > 4) std::fill(values.begin() + 2, values.end() - 1, values.front());
    for (const auto form : {Differences::delta, Differences::delta_of_delta}) {
      const auto before = static_cast<std::int64_t>(chance());
      ByteWriter out;
      write_integers(out, values, form, before);
      ByteReader in{out.view()};
      std::vector<std::int64_t> back(values.size());
      read_integers(in, back, form, before);
      ASSERT_FALSE(in.failed());
      ASSERT_EQ(in.remaining(), 0U);
      ASSERT_EQ(back, values) << "round " << round;
    }
  }
}

TEST(IntegerColumn, CountsARunOfZeros) {
  ByteWriter out;
  const std::vector<std::int64_t> values(1'000, 5);
  write_integers(out, values, Differences::delta);
  EXPECT_EQ(out.size(), 4U);  // 5, then zero and a two-byte count
}

TEST(IntegerColumn, RefusesARunLongerThanTheColumn) {
  ByteWriter out;
  out.u8(0);
  out.varint(4);
  std::vector<std::int64_t> values(5);
  ByteReader in{out.view()};
  read_integers(in, values, Differences::delta);
  EXPECT_FALSE(in.failed());
  values.resize(4);
  ByteReader again{out.view()};
  read_integers(again, values, Differences::delta);
  EXPECT_TRUE(again.failed());
}

TEST(ByteReader, ReadsVarintsOfEveryLengthAndRefusesLongerOnes) {
  for (unsigned bits = 0; bits <= 64; ++bits) {
    const std::uint64_t value = bits == 0 ? 0 : ~std::uint64_t{0} >> (64 - bits);
    ByteWriter out;
    out.varint(value);
    ByteReader in{out.view()};
    EXPECT_EQ(in.varint(), value);
    EXPECT_FALSE(in.failed());
  }
  ByteWriter beyond;
  for (int i = 0; i < 9; ++i) beyond.u8(0xFF);
  beyond.u8(0x02);  // bit 65
  ByteReader in{beyond.view()};
  in.varint();
  EXPECT_TRUE(in.failed());
  ByteWriter padded;
  padded.u8(0x80);
  padded.u8(0x00);
  ByteReader longer{padded.view()};
  longer.varint();
  EXPECT_TRUE(longer.failed());
}

TEST(ByteReader, StaysFailedAndGivesZeros) {
  ByteWriter out;
  out.u8(1);
  ByteReader in{out.view()};
  EXPECT_EQ(in.u32(), 0U);
  EXPECT_TRUE(in.failed());
  EXPECT_EQ(in.u8(), 0U);
  EXPECT_TRUE(in.bytes(0).empty());
}

TEST(Zigzag, TurnsSmallMagnitudesIntoSmallNumbers) {
  EXPECT_EQ(to_zigzag(0), 0U);
  EXPECT_EQ(to_zigzag(-1), 1U);
  EXPECT_EQ(to_zigzag(1), 2U);
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(from_zigzag(to_zigzag(value)), value);
  }
}

}  // namespace
}  // namespace fieldpost
