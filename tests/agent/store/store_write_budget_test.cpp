// SPDX-License-Identifier: Apache-2.0
// A write budget makes flushes seldom, never more so than configured, and holds back neither alerts nor anybody who reads.
#include "tests/agent/store/store_fixture.hpp"

namespace fieldpost {
namespace {

using StoreWriteBudgetTest = StoreTest;

TEST_F(StoreWriteBudgetTest, StretchesTheIntervalSoThatADayStaysInsideIt) {
  constexpr std::int64_t kADay = 16 << 20;
  options_.flash_bytes_per_day = kADay;
  options_.thin_window = milliseconds{0};
  open();
  ASSERT_TRUE(flush());
  const auto write_for = [this](int seconds_long) {
    const std::int64_t before = store_->status().written_bytes;
    for (int i = 0; i < seconds_long; i += 10) {
      add_noise(Lane::live);
      loop_.advance(seconds{9});
      fetch(Lane::alert);  // until the worker is through
      const StoreStatus status = store_->status();
      EXPECT_LE(status.durable_delay, status.flush_interval + seconds{10}) << i;
      EXPECT_LE(status.flush_interval, options_.flush_interval_max + options_.flush_interval);
    }
    return store_->status().written_bytes - before;
  };
  write_for(7'200);  // what was saved up is gone by then
  const std::int64_t written = write_for(7'200);
  EXPECT_GT(store_->status().flush_interval, options_.flush_interval);
  EXPECT_LT(written, kADay / 12 * 5 / 4);
  EXPECT_GT(written, kADay / 12 / 2) << "it may use what it has";
  EXPECT_FALSE(log_.contains("readings late on the disk"));

  Event event;
  event.name = "fire";
  event.severity = Severity::critical;
  store_->add(event);
  ASSERT_TRUE(loop_.run_until([this] { return store_->status().waiting_segments[0] == 1; }));
}

TEST_F(StoreWriteBudgetTest, LeavesTheIntervalAloneWhereThereIsNoneOrPlenty) {
  for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{1} << 40}) {
    options_.flash_bytes_per_day = budget;
    open();
    ASSERT_TRUE(flush());
    for (int i = 0; i < 100; ++i) {
      add_samples();
      loop_.advance(seconds{9});
      fetch(Lane::alert);
      EXPECT_EQ(store_->status().flush_interval, options_.flush_interval);
      EXPECT_LE(store_->status().durable_delay, options_.flush_interval) << budget << " " << i;
    }
    EXPECT_GT(store_->status().written_bytes, 100'000);
    store_->close();
  }
}

}  // namespace
}  // namespace fieldpost
