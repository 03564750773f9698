// SPDX-License-Identifier: Apache-2.0
// The loop's side: readings gather in memory, one piece of work at a time goes to the worker and comes
// back, and what it could not do is taken up again with the next.
#include "agent/store/store.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_set>
#include <utility>

#include "agent/store/boot_table.hpp"
#include "agent/store/store_disk.hpp"
#include "agent/store/write_budget.hpp"
#include "platform/worker.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kJobsMax = 64;
constexpr milliseconds kAcknowledgeDelay{1'000};
/// Connections that end before any acknowledgement, again and again, must not fill the quota with what may not be dropped.
constexpr std::size_t kSentRowsMax = 64;  // three connections' windows
/// Between two steps of salvage, so that it takes neither the disk nor a core for itself.
constexpr milliseconds kSalvagePause{20};
constexpr milliseconds kRetryFirst{1'000};
constexpr milliseconds kRetryMax{30'000};
/// close() tries so often to get everything onto the disk.
constexpr int kCloseAttemptsMax = 3;
/// Later than promised by so much, and a person is told.
constexpr milliseconds kLateAfter{1'000};
/// Gaps kept in memory apart by lane and cause; the disk keeps them apart further.
constexpr std::size_t kMemoryGapsMax = 64;

bool has_content(const OutboxChange& change) {
  return !change.acknowledged.empty() || !change.given_up.empty() || !change.gaps.empty();
}

}  // namespace

struct Store::Impl {
  Impl(EventLoop& given_loop, Log& given_log, const SeriesTable& table, StoreOptions given_options, StoreGround ground)
      : loop{given_loop}, log{given_log}, options{std::move(given_options)},
        disk{options, std::move(ground), log, table}, worker{loop, "store", kJobsMax} {
    observe_clock();
    flush_timer = loop.every(loop.clock().now() + options.flush_interval, options.flush_interval, [this] { tick(); });
    start_work(kEverything);
  }

  using Lanes = std::array<bool, kLanes.size()>;
  static constexpr Lanes kEverything{true, true, true, true};
  static constexpr Lanes kAlerts{true, false, false, false};
  static constexpr Lanes kNothing{};

  template <typename Reading>
  void add(Lane lane, Reading&& reading) {
    if (closed) return;
    if (pending[index(lane)].empty() && !pending_since[index(lane)]) pending_since[index(lane)] = loop.clock().now();
    pending[index(lane)].add(std::forward<Reading>(reading));
    const std::size_t bytes = memory_bytes();
    if (bytes > options.memory_bytes_max) drop_from_memory(bytes - options.memory_bytes_max);
    // A burst need not wait for its time while the disk answers.
    if (bytes > options.memory_bytes_max / 4 && !work && !retry_timer) start_work(kEverything);
  }

  void add(const Event& event) {
    Event bounded = event;
    bounded.message.resize(std::min(bounded.message.size(), Event::kMessageBytesMax));
    const bool is_alert = event.severity != Severity::info;
    add(is_alert ? Lane::alert : Lane::event, std::move(bounded));
    if (is_alert) start_soon(kAlerts);
  }

  std::size_t memory_bytes() const {
    return bytes_of(pending) + (work ? work_bytes : 0) + figures.doubtful_bytes;
  }

  void drop_from_memory(std::size_t bytes) {
    // A little more than needed, so that not every reading has to push another one out.
    for (const Gap& gap : drop_oldest(pending, bytes + options.memory_bytes_max / 64, loop.clock().boot_id())) {
      counted.dropped_readings[index(gap.lane)] += gap.readings;
      remember(gap);
    }
  }

  void remember(const Gap& gap) {
    for (Gap& known : change.gaps) {
      if (known.cause != gap.cause || known.lane != gap.lane || known.boot != gap.boot) continue;
      if (known.first_seq != 0 || gap.first_seq != 0) continue;
      return extend(known, gap.readings, gap.first, gap.last);
    }
    if (change.gaps.size() < kMemoryGapsMax) change.gaps.push_back(gap);
  }

  using Instants = std::array<std::optional<BootTime>, kLanes.size()>;

  /// How long the oldest of these has waited.
  nanoseconds age_of(const Instants& instants) const {
    nanoseconds age{0};
    for (const auto& since : instants) {
      if (since) age = std::max(age, loop.clock().now() - *since);
    }
    return age;
  }

  nanoseconds not_durable_for() const { return std::max(age_of(pending_since), age_of(work_since)); }

  /// Said when promise P1 is late by kLateAfter, and again whenever it has become twice as late; not while the
  /// log has said already that the disk does not answer at all.
  void watch_delay() {
    const nanoseconds age = not_durable_for();
    if (said_error || age < std::max<nanoseconds>(late_next, budget.promised() + kLateAfter)) return;
    late_next = 2 * age;
    log.warn("readings late on the disk", {{"age_ms", std::chrono::round<milliseconds>(age).count()},
                                           {"promised_ms", std::chrono::round<milliseconds>(budget.promised()).count()},
                                           {"waits_for", work ? "the disk" : "the next commit"}});
  }

  void tick() {
    watch_delay();
    budget.account(loop.clock().now(), figures.written_bytes);
    const bool is_due = !budget.is_short() || loop.clock().now() - flushed_at >= budget.flush_interval() - options.flush_interval / 2;  // ticks come at whole ones
    if (!retry_timer && is_due) start_soon(kEverything);
  }

  void observe_clock() {
    const UtcReading utc = loop.clock().utc();
    boots_changed = boots.observe(loop.clock().boot_id(), utc.at, utc) || boots_changed;
    note_floor();
  }

  void note_floor() {
    if (const auto floor = boots.floor()) loop.clock().note_floor(*floor);
  }

  /// Now, or as soon as the present work is back; not while the disk is left alone.
  void start_soon(const Lanes& lanes) {
    if (closed || retry_timer) return;
    if (!work) return start_work(lanes);
    for (const Lane lane : kLanes) wanted[index(lane)] = wanted[index(lane)] || lanes[index(lane)];
    is_wanted = true;
  }

  /// By value: a caller passes `wanted`, which is cleared here.
  void start_work(Lanes lanes) {
    retry_timer.reset();
    acknowledge_timer.reset();
    is_wanted = false;
    wanted = kNothing;
    observe_clock();
    const Clock& clock = loop.clock();

    work = std::make_shared<DiskWork>();
    work->moment = {clock.boot_id(), clock.now()};
    work->utc = clock.utc_above_floor().time;
    work->change = std::exchange(change, {});
    if (boots_changed) work->boots.assign(boots.rows().begin(), boots.rows().end());
    boots_changed = false;
    for (const Lane lane : kLanes) {
      if (!lanes[index(lane)]) continue;
      work->batches[index(lane)] = std::exchange(pending[index(lane)], Batch{});
      work_since[index(lane)] = std::exchange(pending_since[index(lane)], std::nullopt);
    }
    work_bytes = bytes_of(work->batches);
    work_readings = readings_of(work->batches);
    is_flush = lanes == kEverything;
    if (is_flush) flushed_at = clock.now();
    if (lanes == kEverything) work_callbacks = std::exchange(flush_callbacks, {});

    const bool taken = worker.submit(
        [this, mine = work] {
          disk.commit(*mine);
          mine_figures(disk.figures());
        },
        [this, mine = work, weak = std::weak_ptr{alive}] {
          if (!weak.expired() && mine == work) finish_work();
        });
    if (!taken) {
      work->result = Error{ErrorKind::Full, "the store's worker has too much to do"};
      finish_work();
    }
  }

  void mine_figures(DiskFigures now) {  // on the worker
    const std::lock_guard lock{figures_mutex};
    new_figures = std::move(now);
    if (auto loaded = disk.take_loaded_boots()) new_boots = std::move(loaded);
  }

  void take_figures() {
    const std::lock_guard lock{figures_mutex};
    const bool was_salvaging = figures.is_salvaging;
    if (new_figures) figures = std::move(*new_figures);
    new_figures.reset();
    if (new_boots) {
      boots.load(*new_boots);
      boots_changed = true;
      note_floor();
    }
    new_boots.reset();
    if (!was_salvaging || figures.is_salvaging || !salvaged) return;
    loop.post([told = salvaged, weak = std::weak_ptr{alive}] { weak.expired() ? void() : told(); });
  }

  void finish_work() {
    const std::shared_ptr<DiskWork> done = std::exchange(work, nullptr);
    const bool was_ok = figures.ok;
    const ErrorKind error_before = figures.error_kind;
    take_figures();
    Lanes durable{};
    for (const OutboxOutcome& outcome : done->outcomes) {
      for (const SegmentHeader& header : outcome.durable) {
        durable[index(header.lane)] = true;
        counted.durable_readings += header.readings();
      }
      for (const Lane lane : kLanes) counted.dropped_readings[index(lane)] += outcome.dropped[index(lane)];
      counted.acknowledged_readings += outcome.acknowledged_readings;
      counted.body_bytes += outcome.body_bytes;
      counted.thinned_readings += outcome.thinned_readings;
      ++counted.commits;
    }
    for (const Lane lane : kLanes) counted.dropped_readings[index(lane)] += done->lost[index(lane)];
    for (const Lane lane : kLanes) pending[index(lane)].put_back(std::move(done->batches[index(lane)]));
    put_back(std::move(done->change));
    if (!done->boots.empty()) boots_changed = true;
    if (figures.ok) forget_acknowledged();

    say_change(was_ok, error_before);
    if (done->result) {
      retry_delay = kRetryFirst;
      end_delay();
    } else {
      for (const Lane lane : kLanes) {
        auto& since = work_since[index(lane)];
        if (since) pending_since[index(lane)] = std::exchange(since, std::nullopt);
      }
      retry_later();
    }
    for (const auto& callback : std::exchange(work_callbacks, {})) callback(done->result);
    for (const Event& event : done->events) add(event);
    // A disk that answers again may hold segments of before.
    if (figures.ok && !was_ok) durable = kEverything;
    for (const Lane lane : kLanes) {
      if (!durable[index(lane)]) continue;
      for (const auto& listener : listeners) listener(lane);
    }
    if (!work && is_wanted && !closed) start_work(wanted);
    if (!work && !flush_callbacks.empty() && !closed) start_work(kEverything);  // somebody asked meanwhile
    if (!work && is_flush && done->result) tidy();
  }

  /// After a flush nothing is due for a while. One step, so that an alert waits for one at most.
  void tidy() {
    salvage_timer.reset();
    if (closed || (budget.is_short() && !figures.is_salvaging) || is_tidying) return;
    const auto outcome = std::make_shared<OutboxOutcome>();
    is_tidying = worker.submit(
        [this, outcome] {
          *outcome = disk.tidy().value_or(OutboxOutcome{});
          mine_figures(disk.figures());
        },
        [this, outcome, weak = std::weak_ptr{alive}] {
          if (weak.expired()) return;
          is_tidying = false;
          counted.merged_segments += outcome->merged_segments;
          for (const Lane lane : kLanes) counted.dropped_readings[index(lane)] += outcome->dropped[index(lane)];
          take_figures_of_reading();
          if (figures.is_salvaging && !figures.salvage_rests && figures.ok && !closed) salvage_timer = loop.after(kSalvagePause, [this] { tidy(); });
        });
  }

  /// Of work that only read or tidied: what to do about a failure is the next commit's affair.
  void take_figures_of_reading() {
    const bool was_ok = figures.ok;
    const ErrorKind error_before = figures.error_kind;
    take_figures();
    if (figures.ok || !was_ok) return;
    say_change(was_ok, error_before);
    if (!work) retry_later();
  }

  /// What was on the worker is durable now.
  void end_delay() {
    durable_delay = age_of(work_since);
    work_since = {};
    if (late_next == nanoseconds{0} || not_durable_for() > budget.promised()) return;
    log.info("readings in time on the disk again", {{"delay_ms", std::chrono::round<milliseconds>(durable_delay).count()}});
    late_next = nanoseconds{0};
  }

  void put_back(OutboxChange&& back) {
    change.acknowledged.insert(change.acknowledged.begin(), back.acknowledged.begin(), back.acknowledged.end());
    change.given_up.insert(change.given_up.begin(), back.given_up.begin(), back.given_up.end());
    const std::vector<Gap> newer = std::exchange(change.gaps, std::move(back.gaps));
    for (const Gap& gap : newer) remember(gap);
  }

  void forget_acknowledged() {
    acknowledged_rows.clear();
    for (const auto& row : change.acknowledged) acknowledged_rows.insert(row.row);
    for (const auto& row : change.given_up) acknowledged_rows.insert(row.row);
  }

  void say_change(bool was_ok, ErrorKind error_before) {
    if (figures.ok) {
      if (!was_ok && said_error) log.info("outbox can be written again", {{"directory", options.directory}});
      said_error = false;
      return;
    }
    if (figures.error.empty() || (said_error && error_before == figures.error_kind)) return;
    said_error = true;
    log.warn("outbox cannot be written", {{"error", figures.error}, {"meanwhile", "readings wait in memory"},
                                          {"memory_bytes_max", options.memory_bytes_max}});
  }

  void retry_later() {
    if (closed) return;
    retry_timer = loop.after(retry_delay, [this] { start_work(kEverything); });
    retry_delay = std::min(retry_delay * 2, kRetryMax);
  }

  void later_acknowledge() {
    if (closed || retry_timer || acknowledge_timer) return;
    // Deleting late costs nothing but a repetition after a crash.
    acknowledge_timer = loop.after(kAcknowledgeDelay + budget.flush_interval() - options.flush_interval, [this] {
      acknowledge_timer.reset();
      if (has_content(change)) start_soon(kNothing);
    });
  }

  EventLoop& loop;
  Log& log;
  const StoreOptions options;

  Batches pending;
  OutboxChange change;  ///< acknowledged, given up and gaps, for the next commit
  std::unordered_set<std::int64_t> acknowledged_rows;  ///< not deleted yet: not to be handed out again
  std::array<std::set<std::int64_t>, kLanes.size()> sent_rows;  ///< that the broker may have
  BootTable boots{loop.clock().lowest()};
  bool boots_changed = false;

  Instants pending_since, work_since;  ///< when the oldest was added that waits here, or is on the worker
  nanoseconds durable_delay{0};
  nanoseconds late_next{0};  ///< what age is worth a line; 0: none was said

  std::shared_ptr<DiskWork> work;  ///< on the worker now; shared because the jobs that bear it are copyable
  std::size_t work_bytes = 0;
  std::uint64_t work_readings = 0;
  bool is_wanted = false, is_tidying = false;
  bool is_flush = false;  ///< the latest work took all lanes
  Lanes wanted{};
  std::vector<std::function<void(Result<void>)>> flush_callbacks, work_callbacks;
  std::vector<std::function<void(Lane)>> listeners;
  std::function<void()> salvaged;
  Subscription flush_timer, retry_timer, acknowledge_timer, salvage_timer;
  milliseconds retry_delay = kRetryFirst;
  BootTime flushed_at = loop.clock().now();
  WriteBudget budget{options, loop.clock().now()};
  DiskFigures figures;
  bool said_error = false, closed = false;
  StoreStatus counted;  ///< what is counted since start; the rest of it is not kept up

  std::mutex figures_mutex;  // guards the next two, which the worker writes
  std::optional<DiskFigures> new_figures;
  std::optional<std::vector<BootRow>> new_boots;

  /// Callbacks that outlive the store see that it has gone.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  StoreDisk disk;  ///< used on the worker only
  Worker worker;   ///< last: joined before anything it uses goes
};

Store::Store(EventLoop& loop, Log& log, const SeriesTable& table, StoreOptions options, StoreGround ground)
    : impl_{std::make_unique<Impl>(loop, log, table, std::move(options), std::move(ground))} {}

Store::~Store() = default;

void Store::add(Lane lane, const Sample& sample) { impl_->add(lane, sample); }
void Store::add(Lane lane, const Summary& summary) { impl_->add(lane, summary); }
void Store::add(const Event& event) { impl_->add(event); }

void Store::flush(std::function<void(Result<void>)> done) {
  if (impl_->closed) {
    if (done) done(Error{ErrorKind::Unavailable, "the store is closed"});
    return;
  }
  if (done) impl_->flush_callbacks.push_back(std::move(done));
  impl_->retry_timer.reset();  // somebody asks: now
  impl_->start_soon(Impl::kEverything);
}

void Store::fetch(Lane lane, std::int64_t after, std::size_t count, std::size_t bytes_max,
                  std::function<void(std::vector<OutgoingSegment>)> done) {
  struct Found {
    std::vector<OutboxRow> rows;
    std::array<std::uint64_t, kLanes.size()> dropped{};
  };
  const auto found = std::make_shared<Found>();
  Impl* const impl = impl_.get();
  const bool taken = !impl->closed && impl->worker.submit(
      [impl, found, lane, after, count, bytes_max] {
        found->rows = impl->disk.fetch(lane, after, count, bytes_max, found->dropped);
        impl->mine_figures(impl->disk.figures());
      },
      [this, impl, found, done, lane, count, bytes_max, weak = std::weak_ptr{impl->alive}] {
        if (weak.expired()) return;
        impl->take_figures_of_reading();
        for (const Lane each : kLanes) impl->counted.dropped_readings[index(each)] += found->dropped[index(each)];
        if (found->dropped != decltype(found->dropped){}) impl->start_soon(Impl::kEverything);  // reports the gap
        std::vector<OutgoingSegment> segments;
        for (OutboxRow& row : found->rows) {
          if (impl->acknowledged_rows.contains(row.row)) continue;
          segments.push_back({row.row, std::move(row.header), std::move(row.bytes)});
        }
        // None of these, and perhaps some behind them: who gets nothing takes the lane for empty.
        if (segments.empty() && !found->rows.empty()) return fetch(lane, found->rows.back().row, count, bytes_max, done);
        done(std::move(segments));
      });
  if (!taken) impl->loop.post([done] { done({}); });
}

void Store::sent(const OutgoingSegment& segment) {
  auto& rows = impl_->sent_rows[index(segment.header.lane)];
  rows.insert(segment.row);
  if (rows.size() > kSentRowsMax) rows.erase(rows.begin());
}

void Store::acknowledge(const OutgoingSegment& segment) {
  impl_->sent_rows[index(segment.header.lane)].erase(segment.row);
  if (!impl_->acknowledged_rows.insert(segment.row).second) return;
  impl_->change.acknowledged.push_back({segment.header.lane, segment.row});
  impl_->later_acknowledge();
}

void Store::release(Lane lane) {
  // Should the worker have too much to do, it stays held: a few segments, until it is handed out again.
  if (impl_->closed) return;
  static_cast<void>(impl_->worker.submit([impl = impl_.get(), lane, sent = impl_->sent_rows[index(lane)]] { impl->disk.release(lane, sent); }, {}));
}

void Store::give_up(const OutgoingSegment& segment, Gap::Cause cause) {
  impl_->sent_rows[index(segment.header.lane)].erase(segment.row);
  if (!impl_->acknowledged_rows.insert(segment.row).second) return;
  impl_->change.given_up.push_back({segment.header.lane, segment.row, cause});
  impl_->later_acknowledge();
}

void Store::on_durable(std::function<void(Lane)> listener) { impl_->listeners.push_back(std::move(listener)); }

void Store::on_salvaged(std::function<void()> listener) { impl_->salvaged = std::move(listener); }

std::optional<Store::UtcStamp> Store::utc_of(const BootId& boot, BootTime time) const {
  const auto utc = impl_->boots.utc_of(boot, time);
  if (!utc) return std::nullopt;
  return UtcStamp{utc->time, utc->error_bound, utc->trusted};
}

StoreStatus Store::status() const {
  const Impl& impl = *impl_;
  StoreStatus status = impl.counted;
  status.disk_ok = impl.figures.ok;
  status.disk_error = impl.figures.error;
  status.epoch = impl.figures.epoch;
  status.newest_seq = impl.figures.newest_seq;
  status.newest_acknowledged_seq = impl.figures.newest_acknowledged;
  status.newest_row = impl.figures.newest_row;
  status.file_bytes = impl.figures.file_bytes;
  status.memory_bytes = impl.memory_bytes();
  for (const Lane lane : kLanes) {
    status.waiting_segments[index(lane)] = impl.figures.waiting[index(lane)].segments;
    status.waiting_readings[index(lane)] = impl.figures.waiting[index(lane)].readings;
  }
  status.memory_readings = readings_of(impl.pending) + (impl.work ? impl.work_readings : 0) + impl.figures.doubtful_readings;
  status.durable_delay = std::max(impl.durable_delay, impl.not_durable_for());
  status.written_bytes = impl.figures.written_bytes;
  status.flush_interval = impl.budget.promised();
  status.is_salvaging = impl.figures.is_salvaging;
  status.salvaged_segments = impl.figures.salvaged_segments;
  status.salvaged_readings = impl.figures.salvaged_readings;
  return status;
}

void Store::close() {
  Impl& impl = *impl_;
  if (impl.closed) return;
  for (int attempt = 0; attempt < kCloseAttemptsMax; ++attempt) {
    impl.worker.drain();
    if (impl.work) impl.finish_work();
    const bool empty = std::all_of(impl.pending.begin(), impl.pending.end(), [](const Batch& batch) { return batch.empty(); });
    if (empty && !has_content(impl.change) && !impl.work) break;
    if (!impl.work) impl.start_work(Impl::kEverything);
  }
  impl.worker.drain();
  if (impl.work) impl.finish_work();
  impl.closed = true;
  for (Subscription* timer : {&impl.flush_timer, &impl.retry_timer, &impl.acknowledge_timer, &impl.salvage_timer}) timer->reset();
  if (impl.worker.submit([&impl] { impl.disk.end(); }, {})) impl.worker.drain();
}

}  // namespace fieldpost
