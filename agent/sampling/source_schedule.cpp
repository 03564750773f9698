// SPDX-License-Identifier: Apache-2.0
// A source on a worker gets a series table and a list of samples of its own; the loop translates ids
// when the read has come back. So the one table of all series is never touched by two threads.
#include "agent/sampling/source_schedule.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>

#include "platform/worker.hpp"

namespace fieldpost {
namespace {

/// Passes samples on and counts them.
class CountingSink final : public SampleSink {
 public:
  explicit CountingSink(SampleSink& next) : next_{next} {}
  void accept(const Sample& sample) override {
    ++count_;
    next_.accept(sample);
  }
  std::uint64_t count() const noexcept { return count_; }

 private:
  SampleSink& next_;
  std::uint64_t count_ = 0;
};

/// What a read costs. Not by the Clock: that one belongs to the loop, and reads run on workers, too.
class Stopwatch {
 public:
  nanoseconds elapsed() const { return std::chrono::steady_clock::now() - began_; }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

BootTime next_multiple(BootTime now, nanoseconds period) {
  const auto since = now.time_since_epoch();
  return BootTime{(since / period + 1) * period};
}

}  // namespace

std::string_view to_string(SourceState state) noexcept {
  switch (state) {
    case SourceState::opening: return "opening";
    case SourceState::working: return "working";
    case SourceState::failing: return "failing";
    case SourceState::absent: return "absent";
    case SourceState::refused: return "refused";
  }
  return "?";
}

/// Samples of one read on a worker, with ids of the entry's own table.
class SourceSchedule::Inbox final : public SampleSink {
 public:
  void accept(const Sample& sample) override {
    if (samples_.size() >= kSamplesPerReadMax) {
      ++lost_;
      return;
    }
    samples_.push_back(sample);
  }
  void clear() {
    samples_.clear();
    lost_ = 0;
  }
  const std::vector<Sample>& samples() const noexcept { return samples_; }
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::vector<Sample> samples_;
  std::uint64_t lost_ = 0;
};

struct SourceSchedule::Entry {
  SourcePlan plan;
  SourceStatus status;
  bool on_worker = false;
  std::unique_ptr<Source> source;
  Subscription ticks;
  nanoseconds reopen_after = kReopenFirst;
  BootTime reopen_at;  ///< while it is not open
  int failures_in_a_row = 0;

  // Of a source on a worker. `busy` belongs to the loop; between its being set and the job's `done`,
  // everything below and `source` belong to the worker.
  bool busy = false;
  SeriesTable own_series;
  Inbox inbox;
  std::vector<SeriesId> global_ids;  ///< by own id; kNoSeries where the common table was full
  std::optional<Result<void>> opened;
  std::optional<Result<void>> read;
  nanoseconds cost{};
  // Last, so that its thread has ended before what it works on goes.
  std::unique_ptr<Worker> worker;

  static constexpr SeriesId kNoSeries{std::numeric_limits<std::uint32_t>::max()};
};

SourceSchedule::SourceSchedule(EventLoop& loop, Log& log, const FileTree& tree, SeriesTable& series,
                               SampleSink& next)
    : loop_{loop}, log_{log}, tree_{tree}, series_{series}, next_{next} {}

SourceSchedule::~SourceSchedule() = default;

Result<void> SourceSchedule::add(SourcePlan plan) {
  if (entries_.size() >= kSourcesMax) {
    return Error{ErrorKind::Full, "more than " + std::to_string(kSourcesMax) + " sources"};
  }
  auto entry = std::make_unique<Entry>();
  entry->status.instance = plan.instance;
  entry->status.driver = plan.driver->name;
  entry->status.interval = plan.interval;
  entry->on_worker = plan.driver->reads == Driver::Reads::on_worker;
  entry->plan = std::move(plan);
  entries_.push_back(std::move(entry));
  return {};
}

Result<void> SourceSchedule::add(std::string instance, std::unique_ptr<Source> source,
                                 nanoseconds interval) {
  if (entries_.size() >= kSourcesMax) {
    return Error{ErrorKind::Full, "more than " + std::to_string(kSourcesMax) + " sources"};
  }
  auto entry = std::make_unique<Entry>();
  entry->status.instance = instance;
  entry->status.driver = instance;
  entry->status.interval = interval;
  entry->status.state = SourceState::working;
  entry->plan.instance = std::move(instance);
  entry->plan.interval = interval;
  entry->source = std::move(source);
  entries_.push_back(std::move(entry));
  return {};
}

void SourceSchedule::start() {
  running_ = true;
  for (const auto& pointer : entries_) {
    Entry& entry = *pointer;
    loop_.post([this, &entry] { tick(entry); });
    entry.ticks = loop_.every(next_multiple(loop_.clock().now(), entry.plan.interval),
                              entry.plan.interval, [this, &entry] { tick(entry); });
  }
}

void SourceSchedule::stop() {
  running_ = false;
  for (const auto& entry : entries_) entry->ticks.reset();
}

bool SourceSchedule::stuck() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry->busy; });
}

std::vector<SourceStatus> SourceSchedule::status() const {
  std::vector<SourceStatus> result;
  result.reserve(entries_.size());
  for (const auto& entry : entries_) {
    result.push_back(entry->status);
    result.back().busy = entry->busy;
  }
  return result;
}

void SourceSchedule::tick(Entry& entry) {
  if (!running_ || entry.status.state == SourceState::refused) return;
  if (entry.busy) {
    ++entry.status.skipped;
    return;
  }
  if (entry.source == nullptr && loop_.clock().now() < entry.reopen_at) return;
  if (entry.on_worker) {
    work_on_worker(entry);
    return;
  }
  if (entry.source == nullptr) open_on_loop(entry);
  if (entry.source != nullptr) read_on_loop(entry);
}

void SourceSchedule::open_on_loop(Entry& entry) {
  auto opened = entry.plan.driver->open({tree_, series_, entry.plan.options, entry.plan.instance});
  if (!opened) {
    note_open(entry, opened.error());
    return;
  }
  entry.source = std::move(*opened);
  note_open(entry, {});
}

void SourceSchedule::read_on_loop(Entry& entry) {
  CountingSink sink{next_};
  const Stopwatch watch;
  auto result = entry.source->read(sink, loop_.clock().now());
  const nanoseconds cost = watch.elapsed();
  entry.status.samples += sink.count();
  samples_read_ += sink.count();
  note_read(entry, std::move(result), cost);
}

void SourceSchedule::work_on_worker(Entry& entry) {
  if (entry.worker == nullptr) {
    entry.worker = Worker::start(loop_, entry.plan.instance.substr(0, 15), /*jobs_max=*/1);
    if (entry.worker == nullptr) {
      note_open(entry, Error{ErrorKind::Unavailable, "no thread could be started for it; raise the limit (TasksMax=, nproc) or free memory"});
      return;
    }
  }
  entry.busy = true;
  entry.inbox.clear();
  entry.opened.reset();
  entry.read.reset();
  const BootTime now = loop_.clock().now();
  const bool taken = entry.worker->submit(
      [this, &entry, now] {
        if (entry.source == nullptr) {
          auto opened =
              entry.plan.driver->open({tree_, entry.own_series, entry.plan.options, entry.plan.instance});
          if (!opened) {
            entry.opened = Result<void>{opened.error()};
            return;
          }
          entry.source = std::move(*opened);
          entry.opened = Result<void>{};
        }
        const Stopwatch watch;
        entry.read = entry.source->read(entry.inbox, now);
        entry.cost = watch.elapsed();
      },
      [this, &entry] { finish_on_worker(entry); });
  if (taken) return;
  entry.busy = false;
  ++entry.status.skipped;
}

void SourceSchedule::finish_on_worker(Entry& entry) {
  entry.busy = false;
  if (entry.opened) note_open(entry, std::move(*entry.opened));
  while (entry.global_ids.size() < entry.own_series.size()) {
    const SeriesId own{static_cast<std::uint32_t>(entry.global_ids.size())};
    auto added = series_.add(entry.own_series[own]);
    entry.global_ids.push_back(added ? *added : Entry::kNoSeries);
  }
  entry.status.samples_lost += entry.inbox.lost();
  // A read that comes back after stop() is not passed on: the stages behind are closing.
  for (Sample sample : running_ ? entry.inbox.samples() : std::vector<Sample>{}) {
    sample.series = entry.global_ids[index(sample.series)];
    if (sample.series == Entry::kNoSeries) {
      ++entry.status.samples_lost;
      continue;
    }
    ++entry.status.samples;
    ++samples_read_;
    next_.accept(sample);
  }
  if (entry.read) note_read(entry, std::move(*entry.read), entry.cost);
}

void SourceSchedule::note_open(Entry& entry, Result<void> result) {
  if (result) {
    log_.debug("source open", {{"source", entry.plan.instance}, {"driver", entry.status.driver}});
    entry.status.state = SourceState::working;
    entry.failures_in_a_row = 0;
    return;
  }
  const Error& error = result.error();
  entry.status.last_error = error.sentence();
  if (error.kind() == ErrorKind::OutOfRange) {
    entry.status.state = SourceState::refused;
    ++entry.status.failures;
    log_.error("source refused, correct its options",
               {{"source", entry.plan.instance}, {"error", error.sentence()}});
    return;
  }
  const bool first = entry.status.state == SourceState::opening;
  entry.status.state = SourceState::absent;
  entry.reopen_at = loop_.clock().now() + entry.reopen_after;
  entry.reopen_after = std::min(entry.reopen_after * 2, kReopenMax);
  if (!first) return;
  const bool is_absent = error.kind() == ErrorKind::NotPresent;
  if (!is_absent) ++entry.status.failures;
  if (is_absent && !entry.plan.asked_for) {
    log_.debug("source not on this machine",
               {{"source", entry.plan.instance}, {"error", error.sentence()}});
  } else {
    log_.warn("source cannot be opened, trying again later",
              {{"source", entry.plan.instance}, {"error", error.sentence()}});
  }
}

void SourceSchedule::note_read(Entry& entry, Result<void> result, nanoseconds cost) {
  entry.status.last_cost = cost;
  entry.status.cost += cost;
  if (!result) {
    fail(entry, result.error());
    return;
  }
  ++entry.status.reads;
  entry.status.last_read = loop_.clock().now();
  entry.status.last_error.clear();
  entry.failures_in_a_row = 0;
  entry.reopen_after = kReopenFirst;
  if (entry.status.state == SourceState::failing) {
    log_.info("source works again", {{"source", entry.plan.instance}});
  }
  entry.status.state = SourceState::working;
}

void SourceSchedule::fail(Entry& entry, const Error& error) {
  ++entry.status.failures;
  ++entry.failures_in_a_row;
  entry.status.last_error = error.sentence();
  if (entry.status.state != SourceState::failing) {
    log_.warn("source failed", {{"source", entry.plan.instance}, {"error", error.sentence()}});
  }
  entry.status.state = SourceState::failing;
  // A source that the agent made itself has no driver to open it anew.
  if (entry.plan.driver == nullptr) return;
  if (error.kind() == ErrorKind::NotPresent) {
    close(entry);
    entry.status.state = SourceState::absent;
  } else if (entry.failures_in_a_row >= kFailuresBeforeReopen) {
    close(entry);
  }
}

void SourceSchedule::close(Entry& entry) {
  entry.source.reset();
  entry.failures_in_a_row = 0;
  entry.reopen_at = loop_.clock().now() + entry.reopen_after;
  entry.reopen_after = std::min(entry.reopen_after * 2, kReopenMax);
}

}  // namespace fieldpost
