// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cstdint>
#include <limits>
#include <random>

#include "platform/number.hpp"

namespace fieldpost {
namespace {

TEST(Number, IsWrittenWithTheFewestDigits) {
  EXPECT_EQ(shortest_text(0.1), "0.1");
  EXPECT_EQ(shortest_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(shortest_text(1), "1");
  EXPECT_EQ(shortest_text(-273.15), "-273.15");
  EXPECT_EQ(shortest_text(0), "0");
  EXPECT_EQ(shortest_text(-0.0), "-0");
}

TEST(Number, TurnsToAnExponentOnlyWhereDigitsWouldBeMany) {
  EXPECT_EQ(shortest_text(100000), "100000");
  EXPECT_EQ(shortest_text(9.9e15), "9900000000000000");
  EXPECT_EQ(shortest_text(1e16), "1e+16");
  EXPECT_EQ(shortest_text(0.0001), "0.0001");
  EXPECT_EQ(shortest_text(0.00001), "1e-05");
  EXPECT_EQ(shortest_text(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(shortest_text(std::numeric_limits<double>::denorm_min()), "5e-324");
}

TEST(Number, SaysWhatIsNoNumber) {
  EXPECT_EQ(shortest_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(shortest_text(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(shortest_text(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Number, IsAddedToWhatIsThere) {
  std::string text = "x=";
  append_number(text, 2.5);
  EXPECT_EQ(text, "x=2.5");
}

TEST(Number, ReadsBackAsTheSameBits) {
  std::mt19937_64 bits{20261120};
  for (int i = 0; i < 20000; ++i) {
    const auto number = std::bit_cast<double>(bits());
    if (number != number || number - number != 0) continue;  // nan, inf
    const std::string text = shortest_text(number);
    double back = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), back);
    ASSERT_EQ(error, std::errc{}) << text;
    ASSERT_EQ(end, text.data() + text.size()) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(number)) << text;
  }
}

}  // namespace
}  // namespace fieldpost
