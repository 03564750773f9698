// SPDX-License-Identifier: Apache-2.0
// A thread and its bounded queue.
#include "platform/worker.hpp"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace fieldpost {
namespace {

/// Signals belong to the loop's thread. The mask is inherited, so it is set around the start.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

struct Worker::Thread {
  struct Job {
    std::function<void()> job;
    std::function<void()> done;
  };

  Thread(EventLoop& given_loop, std::size_t given_jobs_max) : loop{given_loop}, jobs_max{given_jobs_max} {}

  void run() {
    std::unique_lock lock{mutex};
    while (true) {
      changed.wait(lock, [this] { return ending || !jobs.empty(); });
      if (ending) return;
      Job next = std::move(jobs.front());
      jobs.pop_front();
      busy = true;
      lock.unlock();
      next.job();
      next.job = nullptr;  // what the job owns dies here, not on the loop
      if (next.done) loop.post(std::move(next.done));
      lock.lock();
      busy = false;
      changed.notify_all();
    }
  }

  EventLoop& loop;
  const std::size_t jobs_max;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<Job> jobs;
  bool busy = false;
  bool ending = false;
  std::thread thread;
};

Worker::Worker(EventLoop& loop, std::string name, std::size_t jobs_max)
    : thread_{std::make_unique<Thread>(loop, jobs_max)} {
  name.resize(std::min<std::size_t>(name.size(), 15));  // the kernel's bound
  const SignalsBlocked blocked;
  thread_->thread = std::thread{[thread = thread_.get()] { thread->run(); }};
  ::pthread_setname_np(thread_->thread.native_handle(), name.c_str());
}

std::unique_ptr<Worker> Worker::start(EventLoop& loop, std::string name, std::size_t jobs_max) {
  try {
    return std::make_unique<Worker>(loop, std::move(name), jobs_max);
  } catch (const std::system_error&) {  // std::thread has no other way to say it
    return nullptr;
  }
}

Worker::~Worker() {
  {
    const std::lock_guard lock{thread_->mutex};
    thread_->ending = true;
  }
  thread_->changed.notify_all();
  thread_->thread.join();
}

bool Worker::submit(std::function<void()> job, std::function<void()> done) {
  {
    const std::lock_guard lock{thread_->mutex};
    if (thread_->jobs.size() >= thread_->jobs_max) return false;
    thread_->jobs.push_back({std::move(job), std::move(done)});
  }
  thread_->changed.notify_all();
  return true;
}

void Worker::drain() {
  std::unique_lock lock{thread_->mutex};
  thread_->changed.wait(lock, [this] { return thread_->jobs.empty() && !thread_->busy; });
}

std::size_t Worker::waiting() const {
  const std::lock_guard lock{thread_->mutex};
  return thread_->jobs.size();
}

}  // namespace fieldpost
