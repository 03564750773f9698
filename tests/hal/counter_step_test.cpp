// SPDX-License-Identifier: Apache-2.0
// What a counter added: against an oracle that knows what really happened.
#include "hal/counter_step.hpp"

#include <gtest/gtest.h>

#include <random>

namespace fieldpost {
namespace {

using Kind = CounterStep::Kind;

TEST(CounterStep, GrowthIsTheDifference) {
  const CounterStep step = counter_step(0, Value{100}, Value{142});
  EXPECT_EQ(step.kind, Kind::grew);
  EXPECT_EQ(step.added.integer(), 42);
  EXPECT_EQ(counter_step(0, Value{1.5}, Value{4.0}).amount(), 2.5);
  EXPECT_EQ(counter_step(0, Value{7}, Value{7}).amount(), 0);
}

TEST(CounterStep, GrowthIsExactBeyondWhatADoubleHolds) {
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(counter_step(0, Value{large}, Value{large + 1}).added.integer(), 1);
}

TEST(CounterStep, ASmallerValueOfACounterThatNeverWrapsIsAReset) {
  const CounterStep step = counter_step(0, Value{1000}, Value{7});
  EXPECT_EQ(step.kind, Kind::reset);
  EXPECT_EQ(step.added.integer(), 7);
  EXPECT_EQ(counter_step(0, Value{10.5}, Value{0.5}).kind, Kind::reset);
}

TEST(CounterStep, A32BitCounterWrapsWhenTheStepOverTheBorderIsShort) {
  const CounterStep step = counter_step(0x1p32, Value{0xFFFFFFF0}, Value{16});
  EXPECT_EQ(step.kind, Kind::wrapped);
  EXPECT_EQ(step.added.integer(), 32);
  const CounterStep real = counter_step(1000, Value{990.5}, Value{10.0});
  EXPECT_EQ(real.kind, Kind::wrapped);
  EXPECT_DOUBLE_EQ(real.amount(), 19.5);
}

TEST(CounterStep, A32BitCounterThatFallsFromALowValueWasReset) {
  const CounterStep step = counter_step(0x1p32, Value{1'000'000}, Value{16});
  EXPECT_EQ(step.kind, Kind::reset);
  EXPECT_EQ(step.added.integer(), 16);
}

TEST(CounterStep, AWrapIsBelievedUpToHalfTheRangeAndNotBeyond) {
  EXPECT_EQ(counter_step(100, Value{60}, Value{10}).kind, Kind::wrapped);
  EXPECT_EQ(counter_step(100, Value{60}, Value{11}).kind, Kind::reset);
}

TEST(CounterStep, AValueBeyondTheWrapIsNotTrustedToWrap) {
  EXPECT_EQ(counter_step(100, Value{150}, Value{3}).kind, Kind::reset);
}

TEST(CounterStep, CountersAbove2To63GrowOn) {
  const CounterStep step =
      counter_step(0, Value{UINT64_C(0x7FFFFFFFFFFFFFFF)}, Value{UINT64_C(0x8000000000000001)});
  EXPECT_EQ(step.kind, Kind::grew);
  EXPECT_EQ(step.added.integer(), 2);
  const CounterStep far = counter_step(0, Value{0}, Value{UINT64_MAX});
  EXPECT_EQ(far.amount(), 0x1p64);
}

TEST(CounterStep, A64BitCounterWrapsAt2To64) {
  const CounterStep step = counter_step(0x1p64, Value{UINT64_MAX}, Value{4});
  EXPECT_EQ(step.kind, Kind::wrapped);
  EXPECT_EQ(step.added.integer(), 5);
  EXPECT_EQ(counter_step(0x1p64, Value{1000}, Value{4}).kind, Kind::reset);
}

// The oracle counts on (20,000 steps below 2^47 stay below 2^62) and knows when it wrapped or started anew.
TEST(CounterStep, AgreesWithAnOracleOverWrapsAndResets) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random{seed};
  for (const std::uint64_t range : {std::uint64_t{1000}, std::uint64_t{1} << 32U,
                                    std::uint64_t{1} << 48U}) {
    std::uint64_t now = 0;
    std::uint64_t truth = 0;
    std::uint64_t seen = 0;
    int wraps = 0;
    int resets = 0;
    int wraps_seen = 0;
    int resets_seen = 0;
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t before = now;
      if (random() % 50 == 0) {
        // A reset that a person could tell from a wrap: it falls from the lower half.
        if (before < range / 2 && before > 0) {
          now = random() % before;
          truth += now;
          ++resets;
        }
      } else {
        const std::uint64_t added = random() % (range / 2);
        truth += added;
        if (now + added >= range) ++wraps;
        now = (now + added) % range;
      }
      const CounterStep step =
          counter_step(static_cast<double>(range), Value{before}, Value{now});
      seen += static_cast<std::uint64_t>(step.added.integer());
      if (step.kind == Kind::wrapped) ++wraps_seen;
      if (step.kind == Kind::reset) ++resets_seen;
    }
    EXPECT_TRUE(truth == seen) << "range " << range;
    EXPECT_EQ(wraps, wraps_seen);
    EXPECT_EQ(resets, resets_seen);
    EXPECT_GT(wraps, 100);
    EXPECT_GT(resets, 10);
  }
}

}  // namespace
}  // namespace fieldpost
