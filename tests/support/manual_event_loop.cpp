// SPDX-License-Identifier: Apache-2.0
// The event loop of the unit tests: virtual time, real descriptors.
#include "tests/support/manual_event_loop.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace fieldpost {

void ManualEventLoop::post(Task task) {
  {
    const std::lock_guard lock{mutex_};
    posted_.push_back(std::move(task));
  }
  posted_something_.notify_all();
}

Subscription ManualEventLoop::add_timer(Timer timer) {
  const std::uint64_t id = next_id_++;
  timers_.emplace(id, std::move(timer));
  return Subscription{[this, id] { timers_.erase(id); }};
}

Subscription ManualEventLoop::after(nanoseconds delay, Task task) {
  return add_timer({.due = clock_.now() + std::max(delay, nanoseconds{0}),
                    .period = nanoseconds{0},
                    .task = std::make_shared<Task>(std::move(task))});
}

Subscription ManualEventLoop::every(BootTime first, nanoseconds period, Task task) {
  return add_timer({.due = first, .period = period, .task = std::make_shared<Task>(std::move(task))});
}

Subscription ManualEventLoop::add_watch(int descriptor, short events, Task task) {
  const std::uint64_t id = next_id_++;
  watches_.emplace(id, Watch{descriptor, events, std::make_shared<Task>(std::move(task))});
  return Subscription{[this, id] { watches_.erase(id); }};
}

Subscription ManualEventLoop::when_readable(int descriptor, Task task) {
  return add_watch(descriptor, POLLIN, std::move(task));
}

Subscription ManualEventLoop::when_writable(int descriptor, Task task) {
  return add_watch(descriptor, POLLOUT, std::move(task));
}

Subscription ManualEventLoop::on_signal(int signal_number, Task task) {
  const std::uint64_t id = next_id_++;
  signal_watches_.emplace(id, SignalWatch{signal_number, std::make_shared<Task>(std::move(task))});
  return Subscription{[this, id] { signal_watches_.erase(id); }};
}

bool ManualEventLoop::run_one_post() {
  Task task;
  {
    const std::lock_guard lock{mutex_};
    if (posted_.empty()) return false;
    task = std::move(posted_.front());
    posted_.pop_front();
  }
  task();
  return true;
}

bool ManualEventLoop::run_one_timer() {
  auto next = timers_.end();
  for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
    if (timer->second.due > clock_.now()) continue;
    if (next == timers_.end() || timer->second.due < next->second.due) next = timer;
  }
  if (next == timers_.end()) return false;
  // The task may destroy its own subscription: it is kept alive here, and the entry is not touched
  // after the call.
  const std::shared_ptr<Task> task = next->second.task;
  if (next->second.period <= nanoseconds{0}) {
    timers_.erase(next);
  } else {
    const nanoseconds late = clock_.now() - next->second.due;
    next->second.due += next->second.period * (late / next->second.period + 1);
  }
  (*task)();
  return true;
}

bool ManualEventLoop::run_watches() {
  std::vector<pollfd> polled;
  std::vector<std::uint64_t> ids;
  for (const auto& [id, watch] : watches_) {
    polled.push_back({.fd = watch.descriptor, .events = watch.events, .revents = 0});
    ids.push_back(id);
  }
  if (polled.empty() || ::poll(polled.data(), polled.size(), 0) <= 0) return false;
  bool ran = false;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    const auto watch = watches_.find(ids[i]);
    if (watch == watches_.end()) continue;  // cancelled by a task that ran before it
    const std::shared_ptr<Task> task = watch->second.task;
    (*task)();
    ran = true;
  }
  return ran;
}

void ManualEventLoop::run_ready() {
  for (int round = 0; round < kRoundsMax; ++round) {
    if (run_one_post() || run_one_timer()) continue;
    if (!run_watches()) return;
  }
  std::fputs("ManualEventLoop: something stays ready for ever; does a watch read what made it run?\n",
             stderr);
  std::abort();
}

void ManualEventLoop::advance(nanoseconds by) {
  const BootTime end = clock_.now() + by;
  run_ready();
  while (const auto due = next_timer()) {
    if (*due > end) break;
    clock_.set_now(std::max(*due, clock_.now()));
    run_ready();
  }
  clock_.set_now(std::max(end, clock_.now()));
  run_ready();
}

void ManualEventLoop::run() {
  stopped_ = false;
  for (int round = 0; !stopped_ && round < kRoundsMax; ++round) {
    if (run_one_post() || run_one_timer() || run_watches()) continue;
    const auto due = next_timer();
    if (!due) return;
    clock_.set_now(*due);
  }
}

bool ManualEventLoop::wait_for_anything(milliseconds at_most) {
  std::unique_lock lock{mutex_};
  return posted_something_.wait_for(lock, at_most, [this] { return !posted_.empty(); });
}

bool ManualEventLoop::run_until(const std::function<bool()>& done) {
  const auto give_up = std::chrono::steady_clock::now() + seconds{10};
  while (true) {
    run_ready();
    if (done()) return true;
    if (std::chrono::steady_clock::now() > give_up) return false;
    // Posts wake us at once; descriptors are looked at again after a moment.
    wait_for_anything(watches_.empty() ? milliseconds{200} : milliseconds{2});
  }
}

std::size_t ManualEventLoop::deliver_signal(int signal_number) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, watch] : signal_watches_) {
    if (watch.signal_number == signal_number) ids.push_back(id);
  }
  std::size_t ran = 0;
  for (const std::uint64_t id : ids) {
    const auto watch = signal_watches_.find(id);
    if (watch == signal_watches_.end()) continue;
    const std::shared_ptr<Task> task = watch->second.task;
    (*task)();
    ++ran;
  }
  run_ready();
  return ran;
}

std::optional<BootTime> ManualEventLoop::next_timer() const {
  std::optional<BootTime> next;
  for (const auto& [id, timer] : timers_) {
    if (!next || timer.due < *next) next = timer.due;
  }
  return next;
}

}  // namespace fieldpost
