// SPDX-License-Identifier: Apache-2.0
// Takes the jobs of a cloud one by one and does each of them once, whatever is cut off in between. Its states and what leads
// from one to the next are the table in job_engine.cpp; what must outlive the process stands in the record before it is done
// or said.
//
//   idle -> taking -> waiting -> starting -> working -> ending -> reporting -> closing -> idle
//             record    window,    the cloud    it runs    record    told until   record
//                       wave       knows                             accepted
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/jobs/job_operation.hpp"

namespace fieldpost {

class JobEngine final : private JobWork {
 public:
  enum class State : std::uint8_t { off, idle, taking, waiting, starting, working, revoked, ending, reporting, closing };

  struct Status {
    State state = State::off;
    std::string job;        ///< in hand; empty: none
    std::string operation;
    std::string waits_for;  ///< in state waiting
    BootTime since{};       ///< of the state
    /// Since the start.
    std::array<std::uint64_t, 8> ended{};  ///< by JobStatus
    std::string last_error;                ///< of the record; empty: none
  };

  /// All lent, all outlive it. The first row of `kinds` takes the documents that name no operation.
  JobEngine(JobChannel& channel, JobStorage& storage, const JobSurroundings& around, std::span<const JobKind> kinds);
  ~JobEngine() override;

  /// Goes on where the record says.
  void start();
  /// For the end of the agent: what runs is ended and stays in hand.
  void stop();

  const Status& status() const noexcept { return status_; }
  const JobRecord& record() const noexcept { return record_; }

  static constexpr nanoseconds kNoticePause = milliseconds{200};  ///< notices of so long are one
  static constexpr nanoseconds kWaitLook = seconds{10};
  static constexpr nanoseconds kSavePause = seconds{60};
  static constexpr nanoseconds kRefusedPause = std::chrono::hours{1};
  static constexpr nanoseconds kSayPause = seconds{10};
  static constexpr nanoseconds kIdleLook = std::chrono::hours{1};  ///< and up to twice that: a notice may be lost
  static constexpr nanoseconds kClockWait = std::chrono::hours{1};  ///< for a clock by which the window can be judged
  static constexpr unsigned kWavesMax = 1000;

 private:
  enum class Event : std::uint8_t { found, settled, saved, unsaved, due, accepted, finished, gone };
  struct Row {
    State in;
    Event event;
    State next;
  };
  static const Row kTable[];

  void step(Event event);
  void enter(State state);
  void save(std::function<void(bool)> then);
  void look_after(nanoseconds pause);
  void look();
  void looked(const std::optional<JobExecution>& execution);
  void verified(const std::optional<JobExecution>& execution);
  void take(JobExecution execution);
  bool make();
  void wait();
  std::string waiting_for();
  void tell(JobStatus status, JobDetails details, JobChannel::Told told);
  void feed();
  void close();
  void settle(JobOutcome outcome);

  // JobWork
  void save(int step, std::string note, std::function<void()> then) override;
  void say(JobDetails details) override;
  void finish(JobOutcome outcome) override;
  bool spend(std::int64_t bytes) override;

  JobChannel& channel_;
  JobStorage& storage_;
  const JobSurroundings& around_;
  std::span<const JobKind> kinds_;
  Status status_;
  JobRecord record_;
  const JobKind* kind_ = nullptr;
  std::optional<Json> document_;
  std::unique_ptr<JobOperation> operation_;
  std::unique_ptr<JobOperation> finished_;  ///< until the loop's next turn: it may be finishing from within
  JobDetails progress_;
  BootTime told_at_{};
  std::optional<JobStatus> fate_;  ///< what the cloud made of a job that it took back
  UtcTime not_before_{};           ///< of its wave
  bool waiting_told_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  nanoseconds pause_ = kNoticePause;  ///< before the next look
  bool looks_soon_ = false;
  bool noticed_ = false;  ///< while it was no time to look
  Subscription look_timer_;
  Subscription timer_;  ///< of the state
  Subscription say_timer_;
};

std::string_view to_string(JobEngine::State state) noexcept;

}  // namespace fieldpost
