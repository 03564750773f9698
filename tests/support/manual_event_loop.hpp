// SPDX-License-Identifier: Apache-2.0
// An event loop whose time a test moves by hand: no test sleeps, and a day passes in a call.
//
//     ManualClock clock;
//     ManualEventLoop loop{clock};
//     auto timer = loop.every(clock.now(), seconds{10}, [&] { ++ticks; });
//     loop.advance(minutes{1});   // runs each timer that falls due, at its own time, in order
//
// Descriptors are polled for real, without waiting. Work that comes back from another thread is
// waited for with run_until(), which blocks on the post itself instead of sleeping.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "platform/event_loop.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {

class ManualEventLoop final : public EventLoop {
 public:
  /// `clock` is lent and outlives the loop.
  explicit ManualEventLoop(ManualClock& clock) : clock_{clock} {}

  const Clock& clock() const override { return clock_; }
  void post(Task task) override;
  Subscription after(nanoseconds delay, Task task) override;
  Subscription every(BootTime first, nanoseconds period, Task task) override;
  Subscription when_readable(int descriptor, Task task) override;
  Subscription when_writable(int descriptor, Task task) override;
  Subscription on_signal(int signal_number, Task task) override;

  /// Runs until stop(); when nothing is ready, time jumps to the next timer. Returns also when
  /// nothing is left that could ever run (the real loop would wait for ever).
  void run() override;
  void stop() override { stopped_ = true; }

  /// Runs what is ready now: posted tasks, timers due, ready descriptors; and what those make
  /// ready, until nothing is. A level-triggered watch whose task does not consume what made it
  /// ready would never end: after kRoundsMax rounds the process is aborted with a message.
  void run_ready();

  /// Moves time forward by `by`, stopping at each timer on the way; then runs what is ready.
  void advance(nanoseconds by);

  /// Runs what is ready until `done()` is true, waiting for posts of other threads and for
  /// watched descriptors in between. Virtual time stands still. False after ten real seconds.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);

  /// As if the process had received the signal. Returns how many watches ran.
  std::size_t deliver_signal(int signal_number);

  /// Timers armed now, and when the next is due; for tests that assert that nothing leaks.
  std::size_t timers() const { return timers_.size(); }
  std::optional<BootTime> next_timer() const;
  std::size_t watches() const { return watches_.size(); }

  static constexpr int kRoundsMax = 100'000;

 private:
  struct Timer {
    BootTime due;
    nanoseconds period{};  ///< 0: once
    std::shared_ptr<Task> task;
  };
  struct Watch {
    int descriptor = -1;
    short events = 0;
    std::shared_ptr<Task> task;
  };
  struct SignalWatch {
    int signal_number = 0;
    std::shared_ptr<Task> task;
  };

  Subscription add_timer(Timer timer);
  Subscription add_watch(int descriptor, short events, Task task);
  bool run_one_post();
  bool run_one_timer();
  bool run_watches();
  bool wait_for_anything(milliseconds at_most);

  ManualClock& clock_;
  bool stopped_ = false;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Timer> timers_;  // by age, so that equal due times run in order of making
  std::map<std::uint64_t, Watch> watches_;
  std::map<std::uint64_t, SignalWatch> signal_watches_;

  std::mutex mutex_;  // guards posted_ alone
  std::condition_variable posted_something_;
  std::deque<Task> posted_;
};

}  // namespace fieldpost
