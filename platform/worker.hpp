// SPDX-License-Identifier: Apache-2.0
// One thread for calls that may block (fsync, I2C, name look-up), so that the event loop never does.
// Jobs run in the order submitted; each one's `done` runs on the loop afterwards.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "platform/event_loop.hpp"

namespace fieldpost {

class Worker {
 public:
  /// `loop` is lent and outlives the worker. `name` (at most 15 characters) names the thread.
  /// `jobs_max` bounds the jobs that wait.
  /// Without a thread to be had the process ends.
  Worker(EventLoop& loop, std::string name, std::size_t jobs_max);
  /// The same, or null when no thread is to be had (TasksMax=, nproc, memory).
  static std::unique_ptr<Worker> start(EventLoop& loop, std::string name, std::size_t jobs_max);
  /// Finishes the job that runs, drops those that wait, joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs `job` on the worker's thread, then `done` on the loop. False if `jobs_max` jobs wait:
  /// nothing was taken, the caller tries again later or counts a drop.
  [[nodiscard]] bool submit(std::function<void()> job, std::function<void()> done);

  /// Runs what was submitted so far to its end and returns; for an orderly stop.
  /// Blocks: as long as the jobs take.
  void drain();

  std::size_t waiting() const;

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace fieldpost
