// SPDX-License-Identifier: Apache-2.0
// What the job engine asks of a cloud. One question and one report are on their way at a time; the channel repeats both until
// the cloud has answered, over lost connections and throttling, and gives each answer once. What differs from cloud to cloud
// (topics, documents, limits) is its own affair; what became of the job is the engine's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/clock.hpp"

namespace fieldpost {

enum class JobStatus : std::uint8_t { queued, in_progress, succeeded, failed, rejected, timed_out, canceled, removed };

/// "IN_PROGRESS", as the documents have it.
std::string_view to_string(JobStatus status) noexcept;
std::optional<JobStatus> job_status(std::string_view name) noexcept;
constexpr bool is_final(JobStatus status) noexcept { return status > JobStatus::in_progress; }

/// Shown to the operator beside the status, in this order; what a cloud does not take is cut.
using JobDetails = std::vector<std::pair<std::string, std::string>>;

/// One run of a job on this device. A job that the cloud tries again has the same name and the next number.
struct JobExecution {
  std::string job;
  std::int64_t number = 1;
  std::int64_t version = 0;  ///< grows with each report that was accepted
  JobStatus status = JobStatus::queued;
  UtcTime queued_at{};
  std::string document;  ///< JSON text
};

struct JobReport {
  std::string job;
  std::int64_t number = 1;
  std::int64_t version = 0;  ///< that we know: the cloud refuses the report if it knows another
  JobStatus status = JobStatus::in_progress;
  JobDetails details;
  int step_minutes = 0;  ///< the cloud gives the job up if it hears nothing for so long; 0: as before
};

struct JobAnswer {
  enum class Kind : std::uint8_t {
    accepted,
    gone,     ///< cancelled, removed, timed out or over: nothing more to do for it
    refused,  ///< the cloud will never take this report: our mistake
  };
  Kind kind = Kind::accepted;
  std::int64_t version = 0;  ///< of an accepted one
  std::string words = {};
};

class JobChannel {
 public:
  using Found = std::function<void(const std::optional<JobExecution>&)>;
  using Told = std::function<void(const JobAnswer&)>;

  static constexpr std::size_t kDetailsMax = 10;
  static constexpr std::size_t kDetailBytesMax = 1024;

  virtual ~JobChannel() = default;

  /// Asks what is next, or (with a name) how that job is; nothing: there is none, or it is over. A new question takes the place
  /// of one that is not answered yet.
  virtual void look(std::string job, Found found) = 0;
  /// Reports. A new report takes the place of one that is not answered yet.
  virtual void tell(JobReport report, Told told) = 0;
  /// Nothing more is asked or told.
  virtual void stop() = 0;
  /// Runs whenever it is worth looking: the list of jobs changed, or the cloud can be reached again.
  virtual void on_notice(std::function<void()> notice) = 0;
};

}  // namespace fieldpost
