// SPDX-License-Identifier: Apache-2.0
#include "agent/store/batch.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

Sample sample_at(int second, int value = 0) { return {SeriesId{0}, value, BootTime{seconds{second}}, Quality::good}; }

TEST(Batch, PutsAnOlderBatchInFront) {
  Batch older;
  older.add(sample_at(1));
  Batch newer;
  newer.add(sample_at(2));
  const std::size_t bytes = older.bytes() + newer.bytes();
  newer.put_back(std::move(older));
  ASSERT_EQ(newer.samples().size(), 2U);
  EXPECT_EQ(newer.samples()[0].time, BootTime{seconds{1}});
  EXPECT_EQ(newer.bytes(), bytes);
}

TEST(Batch, DropsTheOldestAndCountsThem) {
  Batch batch;
  for (int i = 0; i < 10; ++i) batch.add(sample_at(i));
  Gap gap;
  batch.drop_oldest(3 * sizeof(Sample), gap);
  EXPECT_EQ(gap.readings, 3U);
  EXPECT_EQ(gap.first, BootTime{seconds{0}});
  EXPECT_EQ(gap.last, BootTime{seconds{2}});
  EXPECT_EQ(batch.readings(), 7U);
  EXPECT_EQ(batch.bytes(), 7 * sizeof(Sample));
}

TEST(Batch, KeepsEventsLongerThanSamples) {
  Batch batch;
  Event event;
  event.message = "hot";
  batch.add(event);
  batch.add(sample_at(1));
  Gap gap;
  batch.drop_oldest(1, gap);
  EXPECT_EQ(batch.events().size(), 1U);
  EXPECT_TRUE(batch.samples().empty());
  batch.drop_oldest(1, gap);
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.bytes(), 0U);
  EXPECT_EQ(gap.readings, 2U);
}

}  // namespace
}  // namespace fieldpost
