// SPDX-License-Identifier: Apache-2.0
// The loop that other tests trust: its time and its order must be those of the real one.
#include "tests/support/manual_event_loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

class ManualEventLoopTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  const BootTime begin_ = clock_.now();
};

TEST_F(ManualEventLoopTest, TimersRunAtTheirOwnTimeInOrder) {
  std::vector<nanoseconds> times;
  auto second = loop_.after(seconds{2}, [&] { times.push_back(clock_.now() - begin_); });
  auto first = loop_.after(seconds{1}, [&] { times.push_back(clock_.now() - begin_); });
  auto later = loop_.after(seconds{4}, [&] { times.push_back(clock_.now() - begin_); });
  loop_.advance(seconds{3});
  EXPECT_EQ(times, (std::vector<nanoseconds>{seconds{1}, seconds{2}}));
  EXPECT_EQ(clock_.now() - begin_, seconds{3});
  EXPECT_EQ(loop_.timers(), 1U);
  EXPECT_EQ(loop_.next_timer(), begin_ + seconds{4});
}

TEST_F(ManualEventLoopTest, PeriodicTimersKeepTheirGrid) {
  std::vector<nanoseconds> times;
  auto timer = loop_.every(begin_ + seconds{1}, seconds{10}, [&] {
    times.push_back(clock_.now() - begin_);
    if (times.size() == 2) clock_.advance(seconds{25});  // a task that takes long: 21 and 31 are lost
  });
  loop_.advance(seconds{41});
  EXPECT_EQ(times, (std::vector<nanoseconds>{seconds{1}, seconds{11}, seconds{36}, seconds{41}}));
}

TEST_F(ManualEventLoopTest, WhatATaskAddsForNowRunsToo) {
  int ran = 0;
  Subscription inner;
  auto outer = loop_.after(seconds{1}, [&] {
    inner = loop_.after(nanoseconds{0}, [&] { ++ran; });
    loop_.post([&] { ++ran; });
  });
  loop_.advance(seconds{1});
  EXPECT_EQ(ran, 2);
}

TEST_F(ManualEventLoopTest, ACancelledTimerDoesNotRunAndOneMayEndItself) {
  int ran = 0;
  auto cancelled = loop_.after(seconds{1}, [&] { ran += 100; });
  std::optional<Subscription> self;
  self = loop_.every(begin_, seconds{1}, [&] {
    ++ran;
    self.reset();
  });
  cancelled.reset();
  loop_.advance(seconds{10});
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(loop_.timers(), 0U);
}

TEST_F(ManualEventLoopTest, WatchesRealDescriptors) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const FileDescriptor near{ends[0]};
  const FileDescriptor far{ends[1]};
  int ran = 0;
  auto watch = loop_.when_readable(near.get(), [&] {
    char c = 0;
    ASSERT_EQ(::read(near.get(), &c, 1), 1);
    ++ran;
  });
  loop_.run_ready();
  EXPECT_EQ(ran, 0);
  ASSERT_EQ(::write(far.get(), "ab", 2), 2);
  loop_.run_ready();
  EXPECT_EQ(ran, 2);
  watch.reset();
  EXPECT_EQ(loop_.watches(), 0U);
}

TEST_F(ManualEventLoopTest, WaitsForPostsOfOtherThreads) {
  bool done = false;
  std::thread other{[&] { loop_.post([&] { done = true; }); }};
  EXPECT_TRUE(loop_.run_until([&] { return done; }));
  other.join();
}

TEST_F(ManualEventLoopTest, DeliversSignalsToThoseWhoWatchThem) {
  int hangups = 0;
  auto watch = loop_.on_signal(SIGHUP, [&] { ++hangups; });
  EXPECT_EQ(loop_.deliver_signal(SIGHUP), 1U);
  EXPECT_EQ(loop_.deliver_signal(SIGTERM), 0U);
  EXPECT_EQ(hangups, 1);
}

TEST_F(ManualEventLoopTest, RunJumpsFromTimerToTimerUntilStopped) {
  int ticks = 0;
  auto timer = loop_.every(begin_, std::chrono::hours{24}, [&] {
    if (++ticks == 31) loop_.stop();
  });
  loop_.run();
  EXPECT_EQ(ticks, 31);
  EXPECT_EQ(clock_.now() - begin_, std::chrono::days{30});
}

TEST_F(ManualEventLoopTest, UtcGoesAlongWithBootTimeUntilItIsStepped) {
  const UtcTime before = clock_.utc().time;
  loop_.advance(seconds{5});
  EXPECT_EQ(clock_.utc().time - before, seconds{5});
  clock_.set_utc({.time = UtcTime{}, .synchronised = false});
  loop_.advance(seconds{5});
  EXPECT_EQ(clock_.utc().time, UtcTime{seconds{5}});
}

}  // namespace
}  // namespace fieldpost
