// SPDX-License-Identifier: Apache-2.0
// The world around the job engine: a cloud that knows the truth, a medium that keeps what was written, and work that is counted.
// The power can go at any instant: before and after each thing that is done, said or written.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/jobs/job_engine.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {

/// Counts instants, and ends the world at a given one: from then on nothing has any effect.
struct Power {
  int instants = 0;
  int goes_at = -1;
  bool on = true;
  bool passes() {
    if (on && instants++ == goes_at) on = false;
    return on;
  }
};

class WorldCloud final : public JobChannel {
 public:
  struct Job {
    JobExecution execution;
    JobDetails details = {};
    std::vector<std::string> heard = {};  ///< statuses, as they were accepted
  };

  WorldCloud(EventLoop& loop, Power& power) : loop_{loop}, power_{power} {}

  void add(const std::string& name, const std::string& document, std::int64_t number = 1) {
    jobs.push_back({{name, number, 1, JobStatus::queued, loop_.clock().utc().time, document}});
    notify();
  }
  Job& job(const std::string& name) {
    const auto found = std::find_if(jobs.rbegin(), jobs.rend(), [&](const Job& each) { return each.execution.job == name; });
    if (found == jobs.rend()) ADD_FAILURE() << "no job " << name;
    return *found;
  }
  void notify() {
    if (notice_) notice_();
  }
  void take_back(const std::string& name, JobStatus status) {
    job(name).execution.status = status;
    notify();
  }

  void look(std::string name, Found found) override {
    ++looks;
    const std::uint64_t serial = ++look_serial_;
    if (!reachable || !power_.passes()) return;
    std::optional<JobExecution> answer;
    for (const JobStatus status : {JobStatus::in_progress, JobStatus::queued}) {
      for (const Job& each : jobs) {
        if (!answer && each.execution.status == status && (name.empty() || each.execution.job == name)) answer = each.execution;
      }
    }
    loop_.post([this, serial, answer, found] {
      if (serial == look_serial_ && power_.passes()) found(answer);
    });
  }

  void tell(JobReport report, Told told) override {
    reports.push_back(report);
    send(report, std::move(told), ++tell_serial_);
  }
  /// As a channel must: what is not answered is said again.
  void send(const JobReport& report, Told told, std::uint64_t serial) {
    if (serial != tell_serial_) return;
    if (!reachable || throttles) {
      again_ = loop_.after(seconds{15}, [=, this] { send(report, told, serial); });
      return;
    }
    if (!power_.passes()) return;
    JobAnswer answer = refuses ? JobAnswer{JobAnswer::Kind::refused, 0, "InvalidRequest"} : obey(report);
    if (!power_.passes()) return;
    loop_.post([this, serial, answer, told] {
      if (serial == tell_serial_ && power_.passes()) told(answer);
    });
  }

  void stop() override {
    ++look_serial_;
    ++tell_serial_;
    again_.reset();
    notice_ = nullptr;
  }
  void on_notice(std::function<void()> notice) override { notice_ = std::move(notice); }

  std::vector<Job> jobs;
  std::vector<JobReport> reports;
  bool reachable = true;
  bool refuses = false;
  bool throttles = false;  ///< reports, not questions
  int looks = 0;

 private:
  JobAnswer obey(const JobReport& report) {
    Job& known = job(report.job);
    if (known.execution.number != report.number) return {JobAnswer::Kind::gone, 0, "ResourceNotFound"};
    if (is_final(known.execution.status)) {
      // As MqttJobs: a repeat of what was accepted is accepted.
      if (known.execution.status == report.status) return {JobAnswer::Kind::accepted, known.execution.version};
      return {JobAnswer::Kind::gone, 0, "InvalidStateTransition"};
    }
    known.execution.status = report.status;
    known.details = report.details;
    known.heard.emplace_back(to_string(report.status));
    return {JobAnswer::Kind::accepted, ++known.execution.version};
  }

  EventLoop& loop_;
  Power& power_;
  std::function<void()> notice_;
  std::uint64_t look_serial_ = 0;
  std::uint64_t tell_serial_ = 0;
  Subscription again_;
};

/// Keeps text, as a file would.
class WorldStorage final : public JobStorage {
 public:
  WorldStorage(EventLoop& loop, Power& power) : loop_{loop}, power_{power} {}
  Result<JobRecord> read() override {
    if (text.empty()) return Error{ErrorKind::NotPresent, "no record"};
    return job_record(text);
  }
  void write(const JobRecord& record, std::function<void(Result<void>)> done) override {
    if (!power_.passes()) return;
    const bool forgotten = forgets_acting && record.phase == JobRecord::Phase::acting;
    if (!broken && !forgotten) text = to_text(record);
    ++writes;
    if (!power_.passes()) return;
    loop_.post([this, done = std::move(done), failed = broken] {
      if (power_.on) done(failed ? Result<void>{Error{ErrorKind::Full, "the disk is full"}} : Result<void>{});
    });
  }

  std::string text;
  int writes = 0;
  bool broken = false;
  bool forgets_acting = false;  ///< for the test of the test: says yes and writes nothing

 private:
  EventLoop& loop_;
  Power& power_;
};

struct World;
inline World* world_now = nullptr;  // rows of a table hold plain functions

struct World {
  World() {
    options.device = "gw-1";
    world_now = this;
  }
  ~World() { world_now = nullptr; }

  void boot(bool reboot = false) {
    if (engine) engine->stop();
    engine.reset();
    loop.run_ready();  // what was posted by the one before finds nobody
    power.on = true;
    power.goes_at = -1;
    if (reboot) clock.set_boot_id("00000000-0000-4000-8000-00000000000" + std::to_string(++boots % 10));
    engine = std::make_unique<JobEngine>(cloud, storage, around, kinds);
    engine->start();
  }
  void go(nanoseconds time = seconds{30}) { loop.advance(time); }
  JobEngine::State state() const { return engine->status().state; }

  static const JobKind kinds[2];

  ManualClock clock;
  ManualEventLoop loop{clock};
  CollectingLog log{clock};
  Power power;
  WorldCloud cloud{loop, power};
  WorldStorage storage{loop, power};
  JobOptions options;
  int restarts = 0;
  JobSurroundings around{loop, log.log(), options, [this] { ++restarts; }};
  std::map<std::string, int> runs;     ///< by job
  std::vector<JobDetails> says;        ///< what a "slow" job shows, one a minute
  int stops = 0;
  int boots = 1;
  std::unique_ptr<JobEngine> engine;
};

/// Does its work once: cut off, it says so. "quick" ends at once, "slow" when the test says `end`.
class WorldOperation final : public JobOperation {
 public:
  WorldOperation(std::string job, bool slow) : job_{std::move(job)}, slow_{slow} {}
  void begin(JobWork& work, const JobPoint& point) override {
    work_ = &work;
    latest = this;
    if (point.step > 0) return work.finish(outcome(JobStatus::failed, "cut off"));
    work.save(1, "note", [this] {
      if (!world_now->power.passes()) return;
      ++world_now->runs[job_];
      if (!world_now->power.passes()) return;
      if (!slow_) work_->finish(outcome(JobStatus::succeeded, "done"));
    });
  }
  void stop() override {
    ++world_now->stops;
    if (stops_at_once) work_->finish({});
  }
  JobWork& work() { return *work_; }

  static inline WorldOperation* latest = nullptr;
  static inline bool stops_at_once = true;

 private:
  std::string job_;
  bool slow_;
  JobWork* work_ = nullptr;
};

inline Result<std::unique_ptr<JobOperation>> make_world_operation(const JobSurroundings&, const JobOrder& order) {
  const auto what = order.document.at("what");
  const std::string word = what ? what->string().value_or("") : "";
  if (word != "quick" && word != "slow") return Error{ErrorKind::Malformed, "nobody knows how to " + word};
  return std::unique_ptr<JobOperation>{std::make_unique<WorldOperation>(order.job, word == "slow")};
}

inline const JobKind World::kinds[2] = {{"work", false, &make_world_operation}, {"look", true, &make_world_operation}};

}  // namespace fieldpost
