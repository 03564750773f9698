// SPDX-License-Identifier: Apache-2.0
// Which form a run takes, and that it comes back exactly in each of them.
#include "agent/store/value_column.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::size_t bytes_of(const std::vector<Value>& values) {
  ByteWriter out;
  ValueColumnWriter{}.write(out, values);
  ByteReader in{out.view()};
  std::vector<Value> back(values.size());
  std::vector<std::int64_t> scratch;
  read_values(in, back, scratch);
  EXPECT_FALSE(in.failed());
  EXPECT_EQ(in.remaining(), 0U);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(back[i].is_integer(), values[i].is_integer()) << i;
    if (values[i].is_integer()) {
      EXPECT_EQ(back[i].integer(), values[i].integer()) << i;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint64_t>(back[i].real()), std::bit_cast<std::uint64_t>(values[i].real())) << i;
    }
  }
  return out.size();
}

template <typename Make>
std::vector<Value> run_of(int count, const Make& make) {
  std::vector<Value> values;
  for (int i = 0; i < count; ++i) values.emplace_back(make(i));
  return values;
}

TEST(ValueColumn, WritesWhatDoesNotChangeInAFewBytesHoweverLong) {
  EXPECT_LE(bytes_of(run_of(100'000, [](int) { return 42; })), 6U);
  EXPECT_LE(bytes_of(run_of(100'000, [](int) { return 21.5; })), 7U);
  EXPECT_LE(bytes_of(run_of(100'000, [](int) { return std::nan(""); })), 16U);
}

TEST(ValueColumn, WritesASteadyCounterAsADeltaOfDeltas) {
  EXPECT_LE(bytes_of(run_of(1'000, [](int i) { return std::int64_t{1} << 40 | i * 100'000; })), 20U);
}

TEST(ValueColumn, WritesShortDecimalsAsIntegers) {
  // A temperature of two decimals that moves by hundredths: one byte each.
  const auto values = run_of(1'000, [](int i) { return (2'150 + i * 7 % 40) / 100.0; });
  EXPECT_LE(bytes_of(values), 1'010U);
}

TEST(ValueColumn, NeverTakesMoreThanRawBitsAndAByte) {
  std::mt19937_64 chance{11};
  for (int round = 0; round < 200; ++round) {
    const auto reals = run_of(64, [&chance](int) { return std::bit_cast<double>(chance()); });
    EXPECT_LE(bytes_of(reals), 64 * 8 + 1U);
    const auto integers = run_of(64, [&chance](int) { return static_cast<std::int64_t>(chance()); });
    EXPECT_LE(bytes_of(integers), 64 * 8 + 1 + 8U);
  }
}

TEST(ValueColumn, KeepsEveryKindOfDouble) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double real : {0.0, -0.0, infinity, -infinity, std::numeric_limits<double>::denorm_min(), 1e-300, 1e300, 0.1,
                            9007199254740991.0, 9007199254740992.0, 9007199254740994.0, 1e12 + 0.1, 123456789.123456,
                            std::bit_cast<double>(0x7FF0000000000001ULL), std::bit_cast<double>(0xFFFFFFFFFFFFFFFFULL)}) {
    bytes_of({real});
    bytes_of({real, 1.5, real, -real});
    bytes_of({real, 7, real});
  }
}

TEST(ValueColumn, KeepsTheTypeOfEachValueInAMixedRun) {
  bytes_of({1, 1.0, 2, 2.5, -3, -0.0, std::nan(""), std::numeric_limits<std::int64_t>::min()});
  bytes_of({1, 1.0, 2, 2.0, 3, 3.0, 4, 4.0, 5});
}

TEST(ValueColumn, KeepsDifferencesThatOverflow) {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  bytes_of({kMin, kMax, kMin, 0, kMax, -1, kMin});
}

TEST(ValueColumn, RefusesAnUnknownMethodAndRunsThatAreTooLong) {
  std::vector<Value> values(3);
  std::vector<std::int64_t> scratch;
  for (unsigned head = 0; head < 256; ++head) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(head));
    for (int i = 0; i < 3; ++i) out.u8(0xFF);
    ByteReader in{out.view()};
    read_values(in, values, scratch);
    EXPECT_TRUE(in.failed()) << head;
  }
  ByteWriter zeros;
  zeros.u8(0);
  zeros.u8(0);
  zeros.varint(3);  // one more than the run has room for
  ByteReader in{zeros.view()};
  read_values(in, values, scratch);
  EXPECT_TRUE(in.failed());
}

}  // namespace
}  // namespace fieldpost
