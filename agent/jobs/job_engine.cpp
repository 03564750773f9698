// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_engine.hpp"

#include <algorithm>
#include <utility>

namespace fieldpost {

/// What leads where. An event that has no row in a state comes late, or twice, and changes nothing.
constexpr JobEngine::Row JobEngine::kTable[] = {
    {State::idle, Event::found, State::taking},        // a job of a kind that we know
    {State::idle, Event::settled, State::ending},      // its outcome is known without doing anything
    {State::taking, Event::saved, State::waiting},
    {State::taking, Event::unsaved, State::idle},      // what cannot be recorded is not begun
    {State::waiting, Event::due, State::starting},
    {State::waiting, Event::gone, State::closing},
    {State::starting, Event::accepted, State::working},
    {State::starting, Event::gone, State::closing},
    {State::working, Event::finished, State::ending},
    {State::working, Event::gone, State::revoked},
    {State::revoked, Event::finished, State::closing},
    {State::ending, Event::saved, State::reporting},
    {State::ending, Event::unsaved, State::reporting}, // it is done: that is the truth, written or not
    {State::reporting, Event::accepted, State::closing},
    {State::reporting, Event::gone, State::closing},
    {State::closing, Event::saved, State::idle},
    {State::closing, Event::unsaved, State::idle},     // reported anew at the next start, and known by the cloud then
};

namespace {

/// To what a cloud takes of it, at a character: the record keeps it, and must stay small enough to be read.
void shorten(std::string& text) {
  std::size_t end = JobChannel::kDetailBytesMax;
  if (text.size() <= end) return;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  text.resize(end);
}

bool is_ours(JobStatus status) {
  return status == JobStatus::succeeded || status == JobStatus::failed || status == JobStatus::rejected;
}

/// `"waves": {"count": 10, "interval_seconds": 600}`: each tenth of the fleet ten minutes after the one before, 90 days in all.
/// Errors: OutOfRange
Result<nanoseconds> wave_delay(const Json& document, std::string_view device) {
  const auto waves = document.at("waves");
  if (!waves) return nanoseconds{};
  constexpr std::int64_t kIntervalMax = 7 * 86'400;
  constexpr std::int64_t kTogetherMax = 90 * 86'400;
  const auto count = waves->at("count");
  const auto interval = waves->at("interval_seconds");
  const std::int64_t number = count ? count->integer().value_or(0) : 0;
  const std::int64_t length = interval ? interval->integer().value_or(-1) : -1;
  if (number < 1 || number > JobEngine::kWavesMax || length < 0 || length > kIntervalMax || number * length > kTogetherMax) {
    return Error{ErrorKind::OutOfRange, "\"waves\" needs \"count\" from 1 to 1000 and \"interval_seconds\" up to 604800, 90 days in all"};
  }
  return nanoseconds{seconds{length}} * wave_of(device, static_cast<unsigned>(number));
}

}  // namespace

std::string_view to_string(JobEngine::State state) noexcept {
  constexpr std::string_view kNames[] = {"off",     "idle",    "taking", "waiting",   "starting",
                                         "working", "revoked", "ending", "reporting", "closing"};
  return kNames[static_cast<std::size_t>(state)];
}

JobEngine::JobEngine(JobChannel& channel, JobStorage& storage, const JobSurroundings& around, std::span<const JobKind> kinds)
    : channel_{channel}, storage_{storage}, around_{around}, kinds_{kinds} {}

JobEngine::~JobEngine() = default;

void JobEngine::start() {
  if (status_.state != State::off) return;
  auto read = storage_.read();
  if (read) {
    record_ = std::move(*read);
  } else if (read.error().kind() != ErrorKind::NotPresent) {
    // A job that was begun is not begun again: the cloud says that it is in progress, and nobody knows how far.
    status_.last_error = read.error().sentence();
    around_.log.error("the record of jobs cannot be read, going on without", {{"error", status_.last_error}});
  }
  channel_.on_notice([this] {
    const State state = status_.state;
    const bool wanted = state == State::idle || state == State::waiting || state == State::starting || state == State::working;
    if (!wanted) {
      noticed_ = true;
    } else if (!looks_soon_) {
      look_after(kNoticePause);
    }
  });
  using Phase = JobRecord::Phase;
  if (record_.phase == Phase::none) return enter(State::idle);
  status_.job = record_.execution.job;
  if (record_.phase == Phase::over) return enter(State::reporting);
  const bool acting = record_.phase == Phase::acting;
  if (make()) return enter(acting ? State::working : State::waiting);
  // What it was begun with is not there any more.
  if (acting) record_.outcome.status = JobStatus::failed;
  enter(State::ending);
}

void JobEngine::stop() {
  status_.state = State::off;
  channel_.stop();
  operation_.reset();
  look_timer_.reset();
  timer_.reset();
  say_timer_.reset();
}

void JobEngine::step(Event event) {
  const auto row = std::find_if(std::begin(kTable), std::end(kTable),
                                [&](const Row& each) { return each.in == status_.state && each.event == event; });
  if (row != std::end(kTable)) enter(row->next);
}

void JobEngine::enter(State state) {
  status_.state = state;
  status_.since = around_.loop.clock().now();
  status_.waits_for.clear();
  timer_.reset();
  say_timer_.reset();
  around_.log.debug("job", {{"state", to_string(state)}, {"job", status_.job}});
  const auto saved = [this](bool is) { step(is ? Event::saved : Event::unsaved); };
  switch (state) {
    case State::off: break;
    case State::idle:
      status_.job.clear();
      status_.operation.clear();
      if (std::exchange(noticed_, false)) pause_ = kNoticePause;
      look_after(std::exchange(pause_, kNoticePause));
      break;
    case State::taking:
      record_.phase = JobRecord::Phase::taken;
      save(saved);
      break;
    case State::waiting:
      waiting_told_ = false;
      wait();
      break;
    case State::starting:
      tell(JobStatus::in_progress, {{"state", "started"}}, [this](const JobAnswer& answer) {
        step(answer.kind == JobAnswer::Kind::accepted ? Event::accepted : Event::gone);
      });
      break;
    case State::working:
      progress_ = {{"state", "working"}};
      told_at_ = status_.since;
      around_.log.info("job begins", {{"job", status_.job}, {"operation", status_.operation}, {"step", record_.point.step}});
      feed();
      operation_->begin(*this, record_.point);
      break;
    case State::revoked:
      around_.log.warn("job was taken back by the cloud, stopping it", {{"job", status_.job}});
      operation_->stop();
      break;
    case State::ending:
      for (auto& [name, text] : record_.outcome.details) shorten(text);
      record_.phase = JobRecord::Phase::over;
      save(saved);
      break;
    case State::reporting:
      tell(record_.outcome.status, record_.outcome.details, [this](const JobAnswer& answer) {
        step(answer.kind == JobAnswer::Kind::accepted ? Event::accepted : Event::gone);
      });
      break;
    case State::closing:
      close();
      save(saved);
      break;
  }
}

void JobEngine::save(std::function<void(bool)> then) {
  storage_.write(record_, [this, alive = std::weak_ptr{alive_}, then = std::move(then)](const Result<void>& written) {
    if (alive.expired() || status_.state == State::off) return;
    status_.last_error = written ? "" : written.error().sentence();
    if (!written) around_.log.error("the record of jobs cannot be written", {{"error", status_.last_error}});
    const bool ends = status_.state == State::taking || status_.state == State::closing;
    if (!written && ends) pause_ = std::max(pause_, kSavePause);
    then(written.has_value());
  });
}

void JobEngine::look_after(nanoseconds pause) {
  looks_soon_ = pause == kNoticePause;
  look_timer_ = around_.loop.after(pause, [this] { look(); });
}

void JobEngine::look() {
  // Each device at a time of its own, or all would ask at once after what made them miss a notice.
  look_after(kIdleLook + seconds{wave_of(around_.options.device, 3600)});
  if (status_.state == State::idle) {
    channel_.look({}, [this](const std::optional<JobExecution>& execution) { looked(execution); });
  } else {
    channel_.look(record_.execution.job, [this](const std::optional<JobExecution>& execution) { verified(execution); });
  }
}

void JobEngine::looked(const std::optional<JobExecution>& execution) {
  if (status_.state == State::idle && execution && !is_final(execution->status)) take(*execution);
}

/// How the job in hand is: only whoever gave it knows whether it is wanted still.
void JobEngine::verified(const std::optional<JobExecution>& execution) {
  if (execution && execution->job != record_.execution.job) return;
  const bool is_ours_still = execution && !is_final(execution->status) && execution->number == record_.execution.number;
  if (is_ours_still) {
    record_.execution.version = std::max(record_.execution.version, execution->version);
    return;
  }
  if (execution && is_final(execution->status)) fate_ = execution->status;
  step(Event::gone);
}

void JobEngine::take(JobExecution execution) {
  record_.execution = std::move(execution);
  record_.point = {};
  record_.outcome = {};
  status_.job = record_.execution.job;
  fate_.reset();
  const auto past = std::find_if(record_.past.begin(), record_.past.end(), [this](const JobRecord::Past& each) {
    return each.is(record_.execution);
  });
  if (past != record_.past.end()) {
    // Handed out again though it is over here: its end is told again, and it is not run again.
    const JobOutcome known = is_ours(past->outcome.status) ? past->outcome : outcome(JobStatus::failed, "it was given up before");
    record_.past.erase(past);
    settle(known);
  } else if (record_.execution.status == JobStatus::in_progress) {
    settle(outcome(JobStatus::failed, "it was begun before, and this device has no record of it: not run again"));
  } else {
    step(make() ? Event::found : Event::settled);
  }
}

void JobEngine::settle(JobOutcome outcome) {
  record_.outcome = std::move(outcome);
  step(Event::settled);
}

/// The operation from the document; if there can be none, the outcome is REJECTED.
bool JobEngine::make() {
  const auto reject = [this](const std::string& words) {
    record_.outcome = outcome(JobStatus::rejected, words);
    return false;
  };
  auto document = Json::parse(record_.execution.document);
  if (!document || !document->is_object()) return reject("the document is no JSON object");
  document_ = std::move(*document);
  const auto delay = wave_delay(*document_, around_.options.device);
  if (!delay) return reject(delay.error().sentence());
  const UtcTime now = around_.loop.clock().utc_above_floor().time;
  const UtcTime queued = record_.execution.queued_at;
  not_before_ = (queued == UtcTime{} ? now : std::min(queued, now)) + *delay;
  const auto named = document_->at("operation");
  const std::string name = named ? named->string().value_or("") : "";
  kind_ = &kinds_.front();
  for (const JobKind& kind : kinds_) {
    if (kind.name == name) kind_ = &kind;
  }
  status_.operation = kind_->name;
  auto operation = kind_->make(around_, {*document_, record_.execution.job, record_.execution.number});
  if (!operation) return reject(operation.error().sentence());
  operation_ = std::move(*operation);
  return true;
}

std::string JobEngine::waiting_for() {
  // At its end the agent may begin anew, and would cut the job off.
  if (around_.configuration != nullptr && !is_settled(around_.configuration->latest().state)) return "the end of a configuration's trial";
  if (kind_->at_any_time) return {};
  const UtcTime now = around_.loop.clock().utc_above_floor().time;
  if (now < not_before_) return "its wave, at " + to_rfc3339(not_before_);
  const MaintenanceWindow& window = around_.options.window;
  const auto& clock = around_.loop.clock();
  if (window != MaintenanceWindow{} && !clock.utc().synchronised && clock.now() - status_.since < kClockWait) return "a clock that is right";
  if (!is_open(window, now)) return "the maintenance window";
  return {};
}

void JobEngine::wait() {
  status_.waits_for = waiting_for();
  if (status_.waits_for.empty()) return step(Event::due);
  timer_ = around_.loop.after(kWaitLook, [this] { wait(); });
  if (!around_.options.waiting_is_told || std::exchange(waiting_told_, true)) return;
  tell(JobStatus::in_progress, {{"state", "waiting"}, {"reason", "waits for " + status_.waits_for}}, [this](const JobAnswer& answer) {
    if (answer.kind == JobAnswer::Kind::gone) step(Event::gone);
  });
}

void JobEngine::tell(JobStatus status, JobDetails details, JobChannel::Told told) {
  JobReport report{record_.execution.job, record_.execution.number, record_.execution.version, status, std::move(details), 0};
  if (status_.state == State::starting || status_.state == State::working) {
    report.step_minutes = static_cast<int>(std::chrono::ceil<std::chrono::minutes>(around_.options.step_timeout).count());
  }
  told_at_ = around_.loop.clock().now();
  channel_.tell(report, [this, job = report.job, number = report.number, told = std::move(told)](const JobAnswer& answer) {
    // A report is repeated until it is answered: another job may be in hand by then.
    if (job != record_.execution.job || number != record_.execution.number) return;
    if (answer.kind == JobAnswer::Kind::accepted) record_.execution.version = answer.version;
    // It would be handed out again at once, and refused again.
    const bool ends = status_.state == State::starting || status_.state == State::reporting;
    if (answer.kind == JobAnswer::Kind::refused && ends) pause_ = kRefusedPause;
    told(answer);
  });
}

/// While it works: says so in time, or the cloud gives it up.
void JobEngine::feed() {
  timer_ = around_.loop.after(around_.options.step_timeout / 3, [this] {
    feed();
    tell(JobStatus::in_progress, progress_, [this](const JobAnswer& answer) {
      if (answer.kind == JobAnswer::Kind::gone) step(Event::gone);
    });
  });
}

/// The job is done with: what became of it goes to the past.
void JobEngine::close() {
  const bool reported = record_.phase == JobRecord::Phase::over;
  if (!reported) record_.outcome = outcome(fate_.value_or(JobStatus::canceled), "the cloud took it back");
  const auto reason = record_.outcome.details.empty() ? std::string{} : record_.outcome.details.front().second;
  around_.log.info("job ended", {{"job", status_.job}, {"status", to_string(record_.outcome.status)}, {"reason", reason}});
  ++status_.ended[static_cast<std::size_t>(record_.outcome.status)];
  if (record_.past.size() >= JobRecord::kPastMax) record_.past.erase(record_.past.begin());
  record_.past.push_back({record_.execution.job, record_.execution.number, record_.outcome,
                          around_.loop.clock().utc_above_floor().time, record_.execution.queued_at});
  record_.phase = JobRecord::Phase::none;
  record_.execution = {};
  record_.outcome = {};
  operation_.reset();
}

void JobEngine::save(int step, std::string note, std::function<void()> then) {
  record_.phase = JobRecord::Phase::acting;
  record_.point = {step, std::move(note), around_.loop.clock().boot_id()};
  save([this, then = std::move(then)](bool is) {
    if (status_.state != State::working || !operation_) return;
    if (is) return then();
    finish(outcome(JobStatus::failed, "this device cannot record what it does: " + status_.last_error));
  });
}

void JobEngine::say(JobDetails details) {
  progress_ = std::move(details);
  if (status_.state != State::working || say_timer_) return;
  const nanoseconds since = around_.loop.clock().now() - told_at_;
  say_timer_ = around_.loop.after(std::max(nanoseconds{}, kSayPause - since), [this] {
    say_timer_.reset();
    tell(JobStatus::in_progress, progress_, [this](const JobAnswer& answer) {
      if (answer.kind == JobAnswer::Kind::gone) step(Event::gone);
    });
  });
}

void JobEngine::finish(JobOutcome outcome) {
  if (status_.state != State::working && status_.state != State::revoked) return;
  record_.outcome = std::move(outcome);
  // It may be it who calls.
  finished_ = std::move(operation_);
  around_.loop.post([this, alive = std::weak_ptr{alive_}] {
    if (!alive.expired()) finished_.reset();
  });
  step(Event::finished);
}

bool JobEngine::spend(std::int64_t bytes) {
  const std::int64_t today = std::chrono::floor<std::chrono::days>(around_.loop.clock().utc_above_floor().time).time_since_epoch().count();
  if (record_.budget_day != today) {
    record_.budget_day = today;
    record_.budget_bytes = 0;
  }
  if (bytes > around_.options.bytes_per_day_max - record_.budget_bytes) return false;
  record_.budget_bytes += bytes;
  return true;
}

}  // namespace fieldpost
