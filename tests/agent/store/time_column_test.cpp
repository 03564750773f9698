// SPDX-License-Identifier: Apache-2.0
// Shared times are stored once, and any times come back.
#include "agent/store/time_column.hpp"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

std::vector<Sample> samples_at(const std::vector<std::int64_t>& times) {
  std::vector<Sample> samples;
  for (const std::int64_t time : times) samples.push_back({SeriesId{0}, 0, BootTime{nanoseconds{time}}, Quality::good});
  return samples;
}

std::vector<std::vector<BootTime>> back(const TimeColumn& column, BootTime first, std::size_t times_max) {
  ByteWriter out;
  column.write(out, first);
  ByteReader in{out.view()};
  auto lists = read_time_lists(in, first, times_max);
  EXPECT_FALSE(in.failed());
  EXPECT_EQ(in.remaining(), 0U);
  return lists;
}

TEST(TimeColumn, KnowsAListThatItHasSeen) {
  TimeColumn column;
  EXPECT_EQ(column.add(samples_at({1, 2, 3})), 0U);
  EXPECT_EQ(column.add(samples_at({1, 3})), 1U);
  EXPECT_EQ(column.add(samples_at({1, 2, 3})), 0U);
  EXPECT_EQ(column.add(samples_at({1, 3})), 1U);
  EXPECT_EQ(column.add(samples_at({1, 2})), 2U);
  EXPECT_EQ(column.times(), 7U);
}

TEST(TimeColumn, GivesListsBackInAnyOrderAndWithRepeats) {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::vector<std::int64_t>> lists{{5, 5, 5}, {9, 1, 4}, {kMin, kMax, 0}, {7}};
  TimeColumn column;
  for (const auto& list : lists) column.add(samples_at(list));
  const auto found = back(column, BootTime{nanoseconds{5}}, 10);
  ASSERT_EQ(found.size(), lists.size());
  for (std::size_t i = 0; i < lists.size(); ++i) {
    ASSERT_EQ(found[i].size(), lists[i].size());
    for (std::size_t j = 0; j < lists[i].size(); ++j) EXPECT_EQ(found[i][j].time_since_epoch().count(), lists[i][j]);
  }
}

TEST(TimeColumn, TakesFewBytesForRegularTicksHoweverManySeriesShareThem) {
  TimeColumn column;
  std::vector<std::int64_t> ticks;
  for (int i = 0; i < 600; ++i) ticks.push_back(std::int64_t{i} * 1'000'000'000);
  for (int series = 0; series < 500; ++series) column.add(samples_at(ticks));
  ByteWriter out;
  column.write(out, BootTime{});
  EXPECT_LE(out.size(), 20U);
}

TEST(TimeColumn, RefusesMoreTimesThanThereAreSamples) {
  TimeColumn column;
  column.add(samples_at({1, 2, 3}));
  ByteWriter out;
  column.write(out, BootTime{});
  ByteReader enough{out.view()};
  read_time_lists(enough, BootTime{}, 3);
  EXPECT_FALSE(enough.failed());
  ByteReader in{out.view()};
  read_time_lists(in, BootTime{}, 2);
  EXPECT_TRUE(in.failed());
}

}  // namespace
}  // namespace fieldpost
