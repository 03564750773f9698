// SPDX-License-Identifier: Apache-2.0
#include "agent/link/backoff.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(Backoff, DoublesItsCeilingUpToTheMaximum) {
  Backoff backoff{{milliseconds{1'000}, milliseconds{120'000}}, [] { return 0.999999; }};
  const long expected[] = {999, 1'999, 3'999, 7'999, 15'999, 31'999, 63'999, 119'999, 119'999};
  for (const long ceiling : expected) EXPECT_NEAR(static_cast<double>(backoff.next().count()), static_cast<double>(ceiling), 1.0);
}

TEST(Backoff, MayWaitNotAtAll) {
  Backoff backoff{{milliseconds{1'000}, milliseconds{120'000}}, [] { return 0.0; }};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(backoff.next(), milliseconds{0});
}

TEST(Backoff, BeginsAnewAfterAConnectionWasUseful) {
  Backoff backoff{{milliseconds{100}, milliseconds{10'000}}, [] { return 0.5; }};
  EXPECT_EQ(backoff.next(), milliseconds{50});
  EXPECT_EQ(backoff.next(), milliseconds{100});
  backoff.reset();
  EXPECT_EQ(backoff.next(), milliseconds{50});
}

TEST(Backoff, StaysBoundedAfterYearsOfFailure) {
  Backoff backoff{{milliseconds{1}, milliseconds::max() / 2}, [] { return 0.5; }};
  for (int i = 0; i < 100'000; ++i) ASSERT_GE(backoff.next(), milliseconds{0});
  Backoff odd{{milliseconds{1'000}, milliseconds{1'500}}, [] { return 0.999999; }};
  odd.next();
  EXPECT_LE(odd.next(), milliseconds{1'500});
}

TEST(Backoff, TheSystemsRandomIsInRangeAndVaries) {
  auto random = system_random();
  double least = 1;
  double most = 0;
  for (int i = 0; i < 1'000; ++i) {
    const double one = random();
    ASSERT_GE(one, 0.0);
    ASSERT_LT(one, 1.0);
    least = std::min(least, one);
    most = std::max(most, one);
  }
  EXPECT_LT(least, 0.1);
  EXPECT_GT(most, 0.9);
}

}  // namespace
}  // namespace fieldpost
