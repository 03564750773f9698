// SPDX-License-Identifier: Apache-2.0
// Summaries come back to the bit, whatever their values and times; damage fails.
#include "agent/store/summary_column.hpp"

#include <bit>
#include <limits>

#include <gtest/gtest.h>

#include "agent/store/segment.hpp"

namespace fieldpost {
namespace {

constexpr BootTime kFirst{seconds{100}};
constexpr auto kInt64Min = std::numeric_limits<std::int64_t>::min();
constexpr auto kInt64Max = std::numeric_limits<std::int64_t>::max();

Summary summary(Value value, double real) {
  Summary made;
  made.series = SeriesId{1};
  made.start = kFirst;
  made.end = kFirst + seconds{60};
  made.count = 1;
  made.min = made.max = made.last = value;
  made.sum = real;
  made.stddev = real;
  return made;
}

std::vector<Summary> edges() {
  std::vector<Summary> all{
      summary(kInt64Min, -0.0), summary(kInt64Max, std::numeric_limits<double>::denorm_min()),
      summary(std::bit_cast<double>(0x7FF8'0000'0000'BEEFULL), std::numeric_limits<double>::infinity()),
      summary(-0.0, std::bit_cast<double>(0xFFF0'0000'0000'0001ULL)), summary(21.5, std::numeric_limits<double>::max())};
  all[1].count = std::numeric_limits<std::uint32_t>::max();
  all[1].resets = std::numeric_limits<std::uint32_t>::max();
  all[1].increase = -0.0;
  all[2].start = BootTime{nanoseconds{kInt64Max}};
  all[2].end = BootTime{nanoseconds{kInt64Min}};
  all[2].quality = Quality::substituted;
  for (std::uint64_t i = 0; i < kSummaryQuantilesMax; ++i) all[3].quantiles.push_back({static_cast<double>(i) / 64, std::bit_cast<double>(i)});
  all[4].series = SeriesId{2};
  all[4].quantiles = {{0.5, 21.5}};
  all[4].increase = 3;
  return all;
}

std::uint64_t bits(double real) { return std::bit_cast<std::uint64_t>(real); }
std::uint64_t bits(const Value& value) { return value.is_integer() ? static_cast<std::uint64_t>(value.integer()) : bits(value.real()); }

void expect_same(const Summary& a, const Summary& b) {
  EXPECT_EQ(a.series, b.series);
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(a.resets, b.resets);
  EXPECT_EQ(a.quality, b.quality);
  for (const auto& [x, y] : {std::pair{a.min, b.min}, {a.max, b.max}, {a.last, b.last}}) {
    EXPECT_EQ(x.type(), y.type());
    EXPECT_EQ(bits(x), bits(y));
  }
  EXPECT_EQ(bits(a.sum), bits(b.sum));
  EXPECT_EQ(bits(a.stddev), bits(b.stddev));
  ASSERT_EQ(a.increase.has_value(), b.increase.has_value());
  EXPECT_EQ(bits(a.increase.value_or(0)), bits(b.increase.value_or(0)));
  ASSERT_EQ(a.quantiles.size(), b.quantiles.size());
  for (std::size_t i = 0; i < a.quantiles.size(); ++i) {
    EXPECT_EQ(bits(a.quantiles[i].rank), bits(b.quantiles[i].rank));
    EXPECT_EQ(bits(a.quantiles[i].value), bits(b.quantiles[i].value));
  }
}

std::vector<std::byte> written(const std::vector<Summary>& all) {
  ByteWriter out;
  write_summaries(out, kFirst, all);
  return std::move(out).take();
}

TEST(SummaryColumn, GivesBackEveryEdgeToTheBitAloneAndTogether) {
  std::vector<std::vector<Summary>> sets{edges()};
  for (const Summary& one : edges()) sets.push_back({one});
  for (const auto& set : sets) {
    const auto bytes = written(set);
    ByteReader in{bytes};
    const auto read = read_summaries(in, kFirst, set.size(), 3);
    ASSERT_FALSE(in.failed());
    EXPECT_EQ(in.remaining(), 0U);
    ASSERT_EQ(read.size(), set.size());
    for (std::size_t i = 0; i < set.size(); ++i) expect_same(read[i], set[i]);
  }
}

TEST(SummaryColumn, FailsAtEveryTruncation) {
  const auto bytes = written(edges());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ByteReader in{std::span{bytes}.first(length)};
    read_summaries(in, kFirst, edges().size(), 3);
    EXPECT_TRUE(in.failed()) << length;
  }
}

TEST(SummaryColumn, FailsForASeriesThatIsNotThere) {
  const auto bytes = written(edges());
  ByteReader in{bytes};
  read_summaries(in, kFirst, edges().size(), 2);
  EXPECT_TRUE(in.failed());
}

TEST(SummaryColumn, SurvivesEveryDamagedByte) {
  const auto bytes = written(edges());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int with : {0x00, 0x7F, 0xFF}) {
      auto damaged = bytes;
      damaged[at] = static_cast<std::byte>(with);
      ByteReader in{damaged};
      const auto read = read_summaries(in, kFirst, edges().size(), 3);
      EXPECT_TRUE(in.failed() || read.size() == edges().size());
    }
  }
}

}  // namespace
}  // namespace fieldpost
