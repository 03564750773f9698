// SPDX-License-Identifier: Apache-2.0
// What the device knows of its jobs whatever happens to it: the one in hand, how far it is, and how the last ones ended. It is
// written before anything is done or said, so a job that is handed out again is recognised.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/cloud/job_channel.hpp"
#include "platform/event_loop.hpp"
#include "platform/result.hpp"
#include "platform/worker.hpp"

namespace fieldpost {

/// How far an operation was when it last said so. Its steps are its own; 0 is: not begun.
struct JobPoint {
  int step = 0;
  std::string note;
  BootId boot_id;  ///< under which it said so
};

struct JobOutcome {
  JobStatus status = JobStatus::succeeded;  ///< or failed, rejected; of a past job also what the cloud made of it
  JobDetails details;
};

struct JobRecord {
  enum class Phase : std::uint8_t {
    none,    ///< no job is in hand
    taken,   ///< one is, and nothing of it was done
    acting,  ///< begun, see `point`
    over,    ///< done, see `outcome`; the cloud does not know yet
  };
  struct Past {
    std::string job;
    std::int64_t number = 1;
    JobOutcome outcome;
    UtcTime ended{};
    UtcTime queued_at{};  ///< a name may be used again, for another job

    bool is(const JobExecution& execution) const;
  };
  static constexpr std::size_t kPastMax = 8;

  Phase phase = Phase::none;
  JobExecution execution;
  JobPoint point;
  JobOutcome outcome;
  std::vector<Past> past;      ///< oldest first
  std::int64_t budget_day = 0; ///< since 1970
  std::int64_t budget_bytes = 0;  ///< of which jobs used so many
};

std::string to_text(const JobRecord& record);
/// Errors: Malformed (damaged, or of another version)
Result<JobRecord> job_record(std::string_view text);

class JobStorage {
 public:
  virtual ~JobStorage() = default;
  /// Errors: NotPresent (no job ever came), Malformed (damaged), Io, Denied
  virtual Result<JobRecord> read() = 0;
  /// `done` runs on the loop, once the record is on the medium or cannot be. One at a time.
  virtual void write(const JobRecord& record, std::function<void(Result<void>)> done) = 0;
};

/// One file, replaced whole. The thread for it begins with the first job.
class JobFile final : public JobStorage {
 public:
  /// `loop` is lent and outlives it.
  JobFile(EventLoop& loop, std::string path) : loop_{loop}, path_{std::move(path)} {}

  Result<JobRecord> read() override;
  void write(const JobRecord& record, std::function<void(Result<void>)> done) override;

  static constexpr std::size_t kBytesMax = 512U << 10U;

 private:
  EventLoop& loop_;
  std::string path_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace fieldpost
