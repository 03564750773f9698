// SPDX-License-Identifier: Apache-2.0
// The real event loop, over Asio's epoll reactor. Three things are done here because Asio's own would
// not do: timers run on CLOCK_BOOTTIME (one timerfd for all of them; Asio's steady_timer stands still
// while the machine is suspended), readers and writers of one descriptor share one registration (Asio
// adds a descriptor to epoll once per object, and the second time fails), and a watch repeats.
#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/log.hpp"

namespace fieldpost {
namespace {

using Task = EventLoop::Task;
using Wait = asio::posix::stream_descriptor::wait_type;

/// A task that may be running when its subscription is destroyed, maybe by itself: the loop keeps its
/// own hold on it while it runs, and looks at `wanted` before.
struct Watcher {
  explicit Watcher(Task given) : task{std::move(given)} {}
  Task task;
  bool wanted = true;
};
using WatcherPointer = std::shared_ptr<Watcher>;

/// Everything the subscriptions point at. They hold it weakly: one that outlives the loop, or sits in
/// a task that the dying loop drops, then has nothing to do.
class Registry : public std::enable_shared_from_this<Registry> {
 public:
  Registry(asio::io_context& context, const Clock& clock, Log* log)
      : context_{context}, clock_{clock}, log_{log}, timer_{context} {
    const int descriptor = ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (descriptor < 0) {
      std::perror("timerfd_create");  // no agent without a timer, and nobody to tell yet
      std::terminate();
    }
    timer_.assign(descriptor);
  }

  /// Runs a task and reports it when it held up the loop.
  void run(const char* what, std::int64_t number, const Task& task) {
    const auto began = std::chrono::steady_clock::now();
    task();
    const auto took = std::chrono::steady_clock::now() - began;
    if (took > EventLoop::kSlowTask && log_ != nullptr) {
      log_->warn("slow task", {{"what", what},
                               {"number", number},
                               {"milliseconds", std::chrono::duration_cast<milliseconds>(took).count()}});
    }
  }

  // --- timers ----------------------------------------------------------------------------------

  Subscription add_timer(BootTime due, nanoseconds period, Task task) {
    const std::uint64_t id = next_id_++;
    auto watcher = std::make_shared<Watcher>(std::move(task));
    timers_.emplace(TimerKey{due, id}, Timer{period, watcher});
    arm();
    return Subscription{[registry = weak_from_this(), watcher, id] {
      watcher->wanted = false;
      if (const auto self = registry.lock()) self->remove_timer(id);
    }};
  }

  void start() { wait_for_timer(); }

  // --- descriptors -----------------------------------------------------------------------------

  Subscription add_watch(int descriptor, Wait wait, Task task) {
    auto found = descriptors_.find(descriptor);
    if (found == descriptors_.end()) {
      auto watched = std::make_shared<Watched>(context_);
      asio::error_code error;
      watched->descriptor.assign(descriptor, error);
      if (error) {
        // A number that is no open descriptor, or a regular file: both a mistake of the caller.
        std::fprintf(stderr, "event loop: descriptor %d cannot be watched: %s\n", descriptor,
                     error.message().c_str());
        std::terminate();
      }
      found = descriptors_.emplace(descriptor, std::move(watched)).first;
    }
    auto watcher = std::make_shared<Watcher>(std::move(task));
    found->second->direction(wait).watchers.push_back(watcher);
    wait_for_descriptor(descriptor, found->second, wait);
    return Subscription{[registry = weak_from_this(), watcher, descriptor, wait] {
      watcher->wanted = false;
      if (const auto self = registry.lock()) self->remove_watch(descriptor, wait, watcher);
    }};
  }

  // --- signals ---------------------------------------------------------------------------------

  Subscription add_signal(int signal_number, Task task) {
    auto set = std::make_shared<asio::signal_set>(context_);
    asio::error_code error;
    set->add(signal_number, error);
    if (error) {
      std::fprintf(stderr, "event loop: signal %d cannot be watched: %s\n", signal_number,
                   error.message().c_str());
      std::terminate();
    }
    const std::uint64_t id = next_id_++;
    auto watcher = std::make_shared<Watcher>(std::move(task));
    signals_.emplace(id, set);
    wait_for_signal(set, watcher);
    return Subscription{[registry = weak_from_this(), watcher, id] {
      watcher->wanted = false;
      if (const auto self = registry.lock()) self->signals_.erase(id);
    }};
  }

  /// Gives descriptors back to their owners instead of closing them.
  ~Registry() {
    for (auto& [number, watched] : descriptors_) watched->descriptor.release();
  }
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

 private:
  struct TimerKey {
    BootTime due;
    std::uint64_t id;  // equal times run in the order they were asked for
    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees a 0 in the comparison it makes itself
    friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
  };
  struct Timer {
    nanoseconds period;  ///< 0: once
    WatcherPointer watcher;
  };
  struct Direction {
    std::vector<WatcherPointer> watchers;
    bool waiting = false;
  };
  struct Watched {
    explicit Watched(asio::io_context& context) : descriptor{context} {}
    Direction& direction(Wait wait) { return wait == Wait::wait_read ? readers : writers; }
    asio::posix::stream_descriptor descriptor;
    Direction readers;
    Direction writers;
  };

  void remove_timer(std::uint64_t id) {
    for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
      if (timer->first.id != id) continue;
      timers_.erase(timer);
      arm();
      return;
    }
  }

  /// Sets the timerfd to the earliest timer, by absolute time: it fires at once if that has passed.
  void arm() {
    const BootTime due = timers_.empty() ? BootTime::max() : timers_.begin()->first.due;
    if (due == armed_) return;
    armed_ = due;
    itimerspec when{};  // all zero disarms
    if (!timers_.empty()) {
      const nanoseconds since_boot = std::max(due.time_since_epoch(), nanoseconds{1});
      const auto whole = std::chrono::duration_cast<seconds>(since_boot);
      const auto rest = static_cast<std::int32_t>((since_boot - whole).count());
      when.it_value.tv_sec = whole.count();
      when.it_value.tv_nsec = rest;
    }
    ::timerfd_settime(timer_.native_handle(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void wait_for_timer() {
    timer_.async_wait(Wait::wait_read, [registry = weak_from_this()](const asio::error_code& error) {
      const auto self = registry.lock();
      if (!self || error) return;
      std::uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t count =
          ::read(self->timer_.native_handle(), &expirations, sizeof expirations);
      self->armed_ = BootTime::max();
      self->run_due_timers();
      self->arm();
      self->wait_for_timer();
    });
  }

  /// Runs what is due now; what its tasks add for "now" waits for the next turn, so that descriptors
  /// and posts are not starved.
  void run_due_timers() {
    const BootTime now = clock_.now();
    std::vector<WatcherPointer> due;
    while (!timers_.empty() && timers_.begin()->first.due <= now) {
      auto node = timers_.extract(timers_.begin());
      due.push_back(node.mapped().watcher);
      const nanoseconds period = node.mapped().period;
      if (period > nanoseconds{0}) {
        node.key().due += period * ((now - node.key().due) / period + 1);
        timers_.insert(std::move(node));
      }
    }
    for (const auto& watcher : due) {
      if (watcher->wanted) run("timer", 0, watcher->task);
    }
  }

  void remove_watch(int descriptor, Wait wait, const WatcherPointer& watcher) {
    const auto found = descriptors_.find(descriptor);
    if (found == descriptors_.end()) return;
    std::erase(found->second->direction(wait).watchers, watcher);
    if (!found->second->readers.watchers.empty() || !found->second->writers.watchers.empty()) return;
    const std::shared_ptr<Watched> watched = found->second;
    descriptors_.erase(found);
    watched->descriptor.release();  // out of epoll now: the caller may close the number next
  }

  void wait_for_descriptor(int number, const std::shared_ptr<Watched>& watched, Wait wait) {
    Direction& direction = watched->direction(wait);
    if (direction.waiting || direction.watchers.empty()) return;
    direction.waiting = true;
    // Asio arms epoll anew for each wait, and epoll then reports what is ready already: the watch is
    // level-triggered though Asio's registration is not.
    watched->descriptor.async_wait(
        wait, [registry = weak_from_this(), watched, wait, number](const asio::error_code& error) {
          watched->direction(wait).waiting = false;
          const auto self = registry.lock();
          if (!self || error == asio::error::operation_aborted) return;
          if (error) {
            // Asio takes a regular file, which is no thing to wait for, and says so only here.
            std::fprintf(stderr, "event loop: descriptor %d cannot be watched: %s\n", number,
                         error.message().c_str());
            std::terminate();
          }
          const std::vector<WatcherPointer> ready = watched->direction(wait).watchers;
          for (const auto& watcher : ready) {
            if (watcher->wanted) self->run("descriptor", number, watcher->task);
          }
          self->wait_for_descriptor(number, watched, wait);
        });
  }

  void wait_for_signal(const std::shared_ptr<asio::signal_set>& set, const WatcherPointer& watcher) {
    set->async_wait([registry = weak_from_this(), weak_set = std::weak_ptr{set}, watcher](
                        const asio::error_code& error, int signal_number) {
      const auto self = registry.lock();
      if (!self || error || !watcher->wanted) return;
      self->run("signal", signal_number, watcher->task);
      if (const auto still = weak_set.lock(); still && watcher->wanted) self->wait_for_signal(still, watcher);
    });
  }

  asio::io_context& context_;
  const Clock& clock_;
  Log* log_;
  std::uint64_t next_id_ = 1;
  asio::posix::stream_descriptor timer_;
  BootTime armed_ = BootTime::max();
  std::map<TimerKey, Timer> timers_;
  std::map<int, std::shared_ptr<Watched>> descriptors_;
  std::map<std::uint64_t, std::shared_ptr<asio::signal_set>> signals_;
};

class AsioEventLoop final : public EventLoop {
 public:
  AsioEventLoop(const Clock& clock, Log* log)
      : clock_{clock}, registry_{std::make_shared<Registry>(context_, clock, log)} {
    registry_->start();
  }

  // The registry goes first, then the context with the tasks it still holds: subscriptions inside them
  // find the registry gone.
  ~AsioEventLoop() override { registry_.reset(); }
  AsioEventLoop(const AsioEventLoop&) = delete;
  AsioEventLoop& operator=(const AsioEventLoop&) = delete;

  const Clock& clock() const override { return clock_; }

  void post(Task task) override {
    // A plain pointer: a posted task runs inside run() or never, and the registry lives as long.
    asio::post(context_,
               [registry = registry_.get(), task = std::move(task)] { registry->run("post", 0, task); });
  }

  Subscription after(nanoseconds delay, Task task) override {
    const BootTime now = clock_.now();
    // "Never" (nanoseconds::max()) must not wrap around.
    const BootTime due = delay > BootTime::max() - now ? BootTime::max() - nanoseconds{1}
                                                       : now + std::max(delay, nanoseconds{0});
    return registry_->add_timer(due, nanoseconds{0}, std::move(task));
  }

  Subscription every(BootTime first, nanoseconds period, Task task) override {
    return registry_->add_timer(first, std::max(period, nanoseconds{1}), std::move(task));
  }

  Subscription when_readable(int descriptor, Task task) override {
    return registry_->add_watch(descriptor, Wait::wait_read, std::move(task));
  }

  Subscription when_writable(int descriptor, Task task) override {
    return registry_->add_watch(descriptor, Wait::wait_write, std::move(task));
  }

  Subscription on_signal(int signal_number, Task task) override {
    return registry_->add_signal(signal_number, std::move(task));
  }

  void run() override {
    const auto work = asio::make_work_guard(context_);
    context_.restart();
    context_.run();
  }

  void stop() override { context_.stop(); }

 private:
  asio::io_context context_{1};  // one thread runs it; others only post
  const Clock& clock_;
  std::shared_ptr<Registry> registry_;
};

}  // namespace

std::unique_ptr<EventLoop> make_event_loop(const Clock& clock, Log* log) {
  return std::make_unique<AsioEventLoop>(clock, log);
}

}  // namespace fieldpost
