// SPDX-License-Identifier: Apache-2.0
// The one event loop that owns all state. Everything runs here except calls that may block, which
// run on a Worker and come back as posted results. Abstract, because tests move time by hand
// (tests/support/manual_event_loop.hpp); the real one is made by make_event_loop() over Asio.
#pragma once

#include <functional>
#include <memory>

#include "platform/clock.hpp"

namespace fieldpost {

class Log;

/// Keeps a timer or a watch alive; destroying it cancels, and the callback will not run any more.
/// Must be destroyed on the loop's thread (or after the loop has stopped).
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> cancel) : cancel_{std::move(cancel)} {}
  Subscription(Subscription&& other) noexcept : cancel_{std::exchange(other.cancel_, nullptr)} {}
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      reset();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription() { reset(); }

  void reset() {
    if (auto cancel = std::exchange(cancel_, nullptr)) cancel();
  }
  explicit operator bool() const noexcept { return static_cast<bool>(cancel_); }

 private:
  std::function<void()> cancel_;
};

class EventLoop {
 public:
  using Task = std::function<void()>;

  /// A task that takes longer holds up every other: it is logged, and belongs on a Worker.
  static constexpr milliseconds kSlowTask{50};

  virtual ~EventLoop() = default;

  virtual const Clock& clock() const = 0;

  /// Runs `task` on the loop, later, in the order posted. The only member that any thread may call.
  virtual void post(Task task) = 0;

  /// Runs `task` once, not before `delay` has passed on the boot-time clock.
  virtual Subscription after(nanoseconds delay, Task task) = 0;

  /// Runs `task` at `first` and then at every multiple of `period` after it. A tick that is late
  /// is not made up for: the next runs at the next multiple that lies ahead.
  virtual Subscription every(BootTime first, nanoseconds period, Task task) = 0;

  /// Runs `task` whenever `descriptor` is readable (or has an error or hang-up to be read).
  /// Level-triggered; `descriptor` stays the caller's, must outlive the subscription and be of a kind
  /// that poll(2) can wait for (no regular file). Several watches of one descriptor are fine.
  virtual Subscription when_readable(int descriptor, Task task) = 0;
  virtual Subscription when_writable(int descriptor, Task task) = 0;

  /// Runs `task` on the loop when the process receives `signal_number` (SIGTERM, SIGHUP, SIGCHLD ...).
  virtual Subscription on_signal(int signal_number, Task task) = 0;

  /// Runs until stop(), which a task calls. May be run again; a stop() before run() is forgotten.
  virtual void run() = 0;
  virtual void stop() = 0;
};

/// The real loop. `clock` (a SystemClock: the kernel wakes us by CLOCK_BOOTTIME) and `log`, which gets
/// the tasks that took over kSlowTask, are lent and outlive it.
std::unique_ptr<EventLoop> make_event_loop(const Clock& clock, Log* log = nullptr);

}  // namespace fieldpost
