// SPDX-License-Identifier: Apache-2.0
// The real loop: real descriptors, real signals, timers of a few milliseconds. Tests wait for what
// the loop does, never for a time to pass; a loop that does nothing is ended by ctest.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "tests/support/collecting_log.hpp"

namespace fieldpost {
namespace {

struct Pair {
  FileDescriptor near;
  FileDescriptor far;
};

Pair make_pair() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) std::abort();
  return {FileDescriptor{ends[0]}, FileDescriptor{ends[1]}};
}

void put(const FileDescriptor& end, char c = 'x') { ASSERT_EQ(::write(end.get(), &c, 1), 1); }
void take(const FileDescriptor& end) {
  char c = 0;
  ASSERT_EQ(::read(end.get(), &c, 1), 1);
}

class AsioEventLoopTest : public ::testing::Test {
 protected:
  SystemClock clock_;
  CollectingLog log_{clock_};
  std::unique_ptr<EventLoop> loop_ = make_event_loop(clock_, &log_.log());
};

TEST_F(AsioEventLoopTest, RunsPostsInOrder) {
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) loop_->post([&order, i] { order.push_back(i); });
  loop_->post([&] {
    loop_->post([&] { order.push_back(1000); });
    loop_->post([&] { loop_->stop(); });
    order.push_back(999);
  });
  loop_->run();
  ASSERT_EQ(order.size(), 102U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(order[100], 999);
  EXPECT_EQ(order[101], 1000);
}

TEST_F(AsioEventLoopTest, TakesPostsFromOtherThreads) {
  int count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, &count] {
      for (int i = 0; i < 250; ++i) {
        loop_->post([this, &count] {
          if (++count == 1000) loop_->stop();
        });
      }
    });
  }
  loop_->run();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 1000);
}

TEST_F(AsioEventLoopTest, RunsTimersInOrderAndNeverEarly) {
  std::vector<int> order;
  const BootTime begin = clock_.now();
  // Counted from one instant: a busy machine may let milliseconds pass between two of these calls.
  const auto until = [&](milliseconds due) { return begin + due - clock_.now(); };
  auto third = loop_->after(until(milliseconds{9}), [&] {
    order.push_back(3);
    EXPECT_GE(clock_.now() - begin, milliseconds{9});
    loop_->stop();
  });
  auto first = loop_->after(until(milliseconds{2}), [&] {
    order.push_back(1);
    EXPECT_GE(clock_.now() - begin, milliseconds{2});
  });
  auto second = loop_->after(until(milliseconds{5}), [&] { order.push_back(2); });
  loop_->run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST_F(AsioEventLoopTest, ADelayOfNothingOrLessRunsAtOnce) {
  bool negative = false;
  auto before = loop_->after(nanoseconds{-5}, [&] { negative = true; });
  auto now = loop_->after(nanoseconds{0}, [&] { loop_->stop(); });
  loop_->run();
  EXPECT_TRUE(negative);
}

TEST_F(AsioEventLoopTest, TheLongestDelayNeitherRunsNorDisturbs) {
  bool ran = false;
  auto never = loop_->after(nanoseconds::max(), [&] { ran = true; });
  auto soon = loop_->after(milliseconds{1}, [&] { loop_->stop(); });
  loop_->run();
  EXPECT_FALSE(ran);
}

TEST_F(AsioEventLoopTest, ACancelledTimerDoesNotRun) {
  bool ran = false;
  auto cancelled = loop_->after(milliseconds{1}, [&] { ran = true; });
  auto end = loop_->after(milliseconds{5}, [&] { loop_->stop(); });
  cancelled.reset();
  loop_->run();
  EXPECT_FALSE(ran);
}

TEST_F(AsioEventLoopTest, ATimerMayCancelAnotherDueAtTheSameInstant) {
  bool ran = false;
  Subscription second;
  auto first = loop_->after(nanoseconds{0}, [&] { second.reset(); });
  second = loop_->after(nanoseconds{0}, [&] { ran = true; });
  auto end = loop_->after(milliseconds{3}, [&] { loop_->stop(); });
  loop_->run();
  EXPECT_FALSE(ran);
}

TEST_F(AsioEventLoopTest, PeriodicTimersKeepTheirGridAndMakeUpForNothing) {
  const BootTime first = clock_.now() + milliseconds{1};
  const nanoseconds period = milliseconds{4};
  std::vector<nanoseconds> ticks;
  std::optional<Subscription> timer;
  timer = loop_->every(first, period, [&] {
    ticks.push_back(clock_.now() - first);
    if (ticks.size() == 1) {
      // Held up over more than two periods: one tick is lost for good, the rest stays on the grid.
      const BootTime until = first + period * 2 + milliseconds{1};
      while (clock_.now() < until) {
      }
    }
    if (ticks.size() == 4) loop_->stop();
  });
  loop_->run();
  ASSERT_EQ(ticks.size(), 4U);
  // The kernel may hold us up further, so only lower bounds are certain.
  EXPECT_GE(ticks[1], period * 1);
  EXPECT_GE(ticks[2], period * 3);
  EXPECT_GE(ticks[3], period * 4);
}

TEST_F(AsioEventLoopTest, APeriodicTimerMayEndItself) {
  int ticks = 0;
  std::optional<Subscription> timer;
  timer = loop_->every(clock_.now(), milliseconds{1}, [&] {
    if (++ticks == 3) timer.reset();
  });
  auto end = loop_->after(milliseconds{12}, [&] { loop_->stop(); });
  loop_->run();
  EXPECT_EQ(ticks, 3);
}

TEST_F(AsioEventLoopTest, WatchesAreLevelTriggered) {
  const Pair pair = make_pair();
  for (int i = 0; i < 5; ++i) put(pair.far);
  int runs = 0;
  auto watch = loop_->when_readable(pair.near.get(), [&] {
    take(pair.near);  // one of what waits
    if (++runs == 5) loop_->stop();
  });
  loop_->run();
  EXPECT_EQ(runs, 5);
}

TEST_F(AsioEventLoopTest, AWatchThatReadsNothingRunsAgain) {
  const Pair pair = make_pair();
  put(pair.far);
  int runs = 0;
  auto watch = loop_->when_readable(pair.near.get(), [&] {
    if (++runs == 3) loop_->stop();
  });
  loop_->run();
  EXPECT_EQ(runs, 3);
}

TEST_F(AsioEventLoopTest, ReadingAndWritingOfOneDescriptorAreWatchedSideBySide) {
  const Pair pair = make_pair();
  int writable = 0;
  int readable = 0;
  std::optional<Subscription> writes;
  auto reads = loop_->when_readable(pair.near.get(), [&] {
    take(pair.near);
    if (++readable == 2) loop_->stop();
  });
  writes = loop_->when_writable(pair.near.get(), [&] {
    put(pair.far);
    if (++writable == 2) writes.reset();
  });
  loop_->run();
  EXPECT_EQ(writable, 2);
  EXPECT_EQ(readable, 2);
}

TEST_F(AsioEventLoopTest, TwoWatchesOfOneDescriptorBothRun) {
  const Pair pair = make_pair();
  put(pair.far);
  int first = 0;
  int second = 0;
  auto one = loop_->when_readable(pair.near.get(), [&] { ++first; });
  auto two = loop_->when_readable(pair.near.get(), [&] {
    if (++second == 2) loop_->stop();
  });
  loop_->run();
  EXPECT_GE(first, 1);
  EXPECT_EQ(second, 2);
}

TEST_F(AsioEventLoopTest, AHangUpIsReadable) {
  Pair pair = make_pair();
  bool seen = false;
  auto watch = loop_->when_readable(pair.near.get(), [&] {
    char c = 0;
    seen = ::read(pair.near.get(), &c, 1) == 0;
    loop_->stop();
  });
  loop_->post([&] { pair.far.close(); });
  loop_->run();
  EXPECT_TRUE(seen);
}

TEST_F(AsioEventLoopTest, AWatchMayEndItselfAndItsDescriptor) {
  Pair pair = make_pair();
  put(pair.far);
  int runs = 0;
  std::optional<Subscription> watch;
  watch = loop_->when_readable(pair.near.get(), [&] {
    ++runs;
    watch.reset();
    pair.near.close();
    loop_->post([&] { loop_->stop(); });
  });
  loop_->run();
  EXPECT_EQ(runs, 1);
}

TEST_F(AsioEventLoopTest, ANumberUsedAgainBelongsToItsNewOwner) {
  int old_runs = 0;
  int new_runs = 0;
  Pair old_pair = make_pair();
  put(old_pair.far);
  std::optional<Subscription> watch;
  Pair new_pair;
  watch = loop_->when_readable(old_pair.near.get(), [&] {
    ++old_runs;
    const int number = old_pair.near.get();
    watch.reset();
    old_pair.near.close();
    new_pair = make_pair();
    ASSERT_EQ(new_pair.near.get(), number);
    put(new_pair.far);
    watch = loop_->when_readable(new_pair.near.get(), [&] {
      ++new_runs;
      take(new_pair.near);
      loop_->stop();
    });
  });
  loop_->run();
  EXPECT_EQ(old_runs, 1);
  EXPECT_EQ(new_runs, 1);
}

TEST_F(AsioEventLoopTest, TheDescriptorStaysTheCallers) {
  const Pair pair = make_pair();
  {
    auto watch = loop_->when_readable(pair.near.get(), [] {});
  }
  EXPECT_GE(::fcntl(pair.near.get(), F_GETFD), 0);
  auto watch = loop_->when_readable(pair.near.get(), [] {});
  loop_.reset();
  EXPECT_GE(::fcntl(pair.near.get(), F_GETFD), 0);
}

TEST_F(AsioEventLoopTest, DeliversSignalsUntilTheyAreNotWantedAnyMore) {
  int hangups = 0;
  int terminations = 0;
  auto hangup = loop_->on_signal(SIGHUP, [&] {
    if (++hangups == 1) {
      ::raise(SIGHUP);
    } else {
      ::raise(SIGTERM);
    }
  });
  auto terminate = loop_->on_signal(SIGTERM, [&] {
    ++terminations;
    loop_->stop();
  });
  loop_->post([] { ::raise(SIGHUP); });
  loop_->run();
  EXPECT_EQ(hangups, 2);
  EXPECT_EQ(terminations, 1);

  struct sigaction action {};
  hangup.reset();
  ::sigaction(SIGHUP, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST_F(AsioEventLoopTest, TwoMayWatchOneSignal) {
  int first = 0;
  auto one = loop_->on_signal(SIGUSR1, [&] { ++first; });
  auto two = loop_->on_signal(SIGUSR1, [&] { loop_->post([&] { loop_->stop(); }); });
  loop_->post([] { ::raise(SIGUSR1); });
  loop_->run();
  EXPECT_EQ(first, 1);
}

TEST_F(AsioEventLoopTest, ASlowTaskIsReported) {
  loop_->post([&] {
    const BootTime until = clock_.now() + EventLoop::kSlowTask + milliseconds{5};
    while (clock_.now() < until) {
    }
  });
  loop_->post([&] { loop_->stop(); });
  loop_->run();
  EXPECT_TRUE(log_.contains("slow task what=post"))
      << (log_.lines().empty() ? "no line" : log_.lines()[0].text);
}

TEST_F(AsioEventLoopTest, RunsAgainAfterAStop) {
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    loop_->post([&] {
      ++runs;
      loop_->stop();
    });
    loop_->run();
  }
  EXPECT_EQ(runs, 3);
}

TEST_F(AsioEventLoopTest, SubscriptionsMayOutliveTheLoop) {
  const Pair pair = make_pair();
  auto timer = loop_->after(seconds{100}, [] {});
  auto watch = loop_->when_readable(pair.near.get(), [] {});
  auto signal = loop_->on_signal(SIGUSR2, [] {});
  loop_.reset();
  timer.reset();
  watch.reset();
  signal.reset();
}

TEST_F(AsioEventLoopTest, TasksThatNeverRanMayOwnSubscriptions) {
  const Pair pair = make_pair();
  auto timer = std::make_shared<Subscription>(loop_->after(seconds{100}, [] {}));
  auto watch = std::make_shared<Subscription>(loop_->when_readable(pair.near.get(), [timer] {}));
  loop_->post([timer, watch] {});
  auto owner = loop_->after(seconds{100}, [watch] {});
  timer.reset();
  watch.reset();
  loop_.reset();
}

}  // namespace
}  // namespace fieldpost
