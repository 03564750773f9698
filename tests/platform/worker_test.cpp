// SPDX-License-Identifier: Apache-2.0
// Order, bound, and which thread runs what. A latch stands for a job that blocks.
#include "platform/worker.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

class WorkerTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
};

TEST_F(WorkerTest, RunsJobsOnItsThreadAndDoneOnTheLoop) {
  Worker worker{loop_, "test", 10};
  std::thread::id job_thread;
  std::thread::id done_thread;
  ASSERT_TRUE(worker.submit([&] { job_thread = std::this_thread::get_id(); },
                            [&] { done_thread = std::this_thread::get_id(); }));
  ASSERT_TRUE(loop_.run_until([&] { return done_thread != std::thread::id{}; }));
  EXPECT_NE(job_thread, std::this_thread::get_id());
  EXPECT_EQ(done_thread, std::this_thread::get_id());
}

TEST_F(WorkerTest, KeepsTheOrder) {
  Worker worker{loop_, "test", 1000};
  std::vector<int> jobs;
  std::vector<int> dones;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(worker.submit([&jobs, i] { jobs.push_back(i); }, [&dones, i] { dones.push_back(i); }));
    if (i % 100 == 0) worker.drain();
  }
  worker.drain();
  loop_.run_ready();
  ASSERT_EQ(jobs.size(), 1000U);
  ASSERT_EQ(dones.size(), 1000U);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(jobs[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(dones[static_cast<std::size_t>(i)], i);
  }
}

TEST_F(WorkerTest, TakesAsManyAsItsBoundAndNotOneMore) {
  std::latch running{1};
  std::latch go{1};
  std::atomic<int> ran{0};
  Worker worker{loop_, "test", 3};
  ASSERT_TRUE(worker.submit(
      [&] {
        running.count_down();
        go.wait();
      },
      {}));
  running.wait();  // it runs now and does not wait any more
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(worker.submit([&] { ++ran; }, {}));
  EXPECT_EQ(worker.waiting(), 3U);
  EXPECT_FALSE(worker.submit([&] { ++ran; }, {}));
  go.count_down();
  worker.drain();
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(worker.waiting(), 0U);
  EXPECT_TRUE(worker.submit([&] { ++ran; }, {}));
}

TEST_F(WorkerTest, ItsEndFinishesTheRunningJobAndDropsTheRest) {
  std::latch running{1};
  std::latch go{1};
  std::atomic<bool> finished{false};
  std::atomic<bool> dropped_ran{false};
  const auto owned = std::make_shared<int>(1);
  auto worker = std::make_unique<Worker>(loop_, "test", 3);
  ASSERT_TRUE(worker->submit(
      [&] {
        running.count_down();
        go.wait();
        finished = true;
      },
      {}));
  running.wait();
  ASSERT_TRUE(worker->submit([&, owned] { dropped_ran = true; }, [owned] {}));
  std::thread destroyer{[&] { worker.reset(); }};
  go.count_down();
  destroyer.join();
  loop_.run_ready();
  EXPECT_TRUE(finished);
  // The second job may have been taken before the end was asked for; then it ran to its end.
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(WorkerTest, WhatAJobOwnsDiesOnTheWorker) {
  struct Owned {
    explicit Owned(std::thread::id& given) : died_on{given} {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { died_on = std::this_thread::get_id(); }
    std::thread::id& died_on;
  };
  std::thread::id died_on;
  Worker worker{loop_, "test", 3};
  {
    auto owned = std::make_shared<Owned>(died_on);
    ASSERT_TRUE(worker.submit([owned] {}, {}));
    owned.reset();
  }
  worker.drain();
  EXPECT_NE(died_on, std::thread::id{});
}

TEST_F(WorkerTest, NamesItsThreadAndBlocksItsSignals) {
  Worker worker{loop_, "a name longer than fifteen", 3};
  // The name is set by the maker, so the job waits until the maker is done.
  std::latch named{1};
  std::string name(16, '\0');
  bool blocked = false;
  ASSERT_TRUE(worker.submit(
      [&] {
        named.wait();
        ::pthread_getname_np(::pthread_self(), name.data(), name.size());
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked = ::sigismember(&mask, SIGTERM) == 1;
      },
      {}));
  named.count_down();
  worker.drain();
  EXPECT_TRUE(blocked);
  EXPECT_EQ(std::string{name.c_str()}, "a name longer t");
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(::sigismember(&mask, SIGTERM), 0);  // ours is as before
}

TEST_F(WorkerTest, DrainOfNothingReturnsAtOnce) {
  Worker worker{loop_, "test", 1};
  worker.drain();
  EXPECT_EQ(worker.waiting(), 0U);
}

}  // namespace
}  // namespace fieldpost
