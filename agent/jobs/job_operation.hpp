// SPDX-License-Identifier: Apache-2.0
// One kind of job: what it can do is a row of the table (job_table.cpp), and one that runs is an object between begin() and
// finish(). An operation that was cut off by a reboot is begun again at the point it saved last; it must not do twice what may
// be done once only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/cloud/remote_configuration.hpp"
#include "agent/jobs/job_options.hpp"
#include "agent/jobs/job_record.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/json.hpp"
#include "platform/log.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// What the engine does for the operation that runs. Lent to begin(), outlives the operation.
class JobWork {
 public:
  virtual ~JobWork() = default;
  /// Makes durable how far it is; `then` runs once that is so. If it cannot be, the job fails and `then` never runs.
  virtual void save(int step, std::string note, std::function<void()> then) = 0;
  /// Shows progress to the operator, and that the job is alive.
  virtual void say(JobDetails details) = 0;
  /// The end, once; the operation may be destroyed before this returns.
  virtual void finish(JobOutcome outcome) = 0;
  /// Takes so many bytes out of what jobs may send or fetch today; false: there are not so many left.
  virtual bool spend(std::int64_t bytes) = 0;
};

class JobOperation {
 public:
  /// What runs still is ended: the agent stops.
  virtual ~JobOperation() = default;
  /// `point`: where it was cut off, or step 0.
  virtual void begin(JobWork& work, const JobPoint& point) = 0;
  /// The cloud has taken the job back: at the next safe point finish() with any outcome.
  virtual void stop() = 0;
};

/// Lent to operations; all outlives them.
struct JobSurroundings {
  EventLoop& loop;
  Log& log;
  const JobOptions& options;
  /// Begins the agent anew, if its configuration is right.
  std::function<void()> restart;
  /// Renews the device's certificate; see IdentityRotation::renew_now.
  std::function<void(std::function<void(Result<void>)>)> renew = {};
  std::function<std::string()> certificate_serial = {};  ///< of the one in use
  RemoteConfiguration* configuration = nullptr;          ///< null: it may not be changed from afar
  /// What `diagnostics.collect` sends, and where to: "PREFIX/DEVICE/diagnostics".
  Link* link = nullptr;
  std::string diagnostics_topic = {};
  std::function<std::string()> status = {};      ///< as `fieldpost status --format json`
  std::vector<std::string> configuration_files = {};
  std::function<std::optional<std::string>(std::string_view)> compress = {};  ///< zstd; nothing if that is no gain
};

struct JobOrder {
  const Json& document;
  const std::string& job;
  std::int64_t number = 1;
};

struct JobKind {
  std::string_view name;  ///< as `operation` in the document
  bool at_any_time;       ///< disturbs nothing: waits neither for the window nor for its wave
  /// Errors: whatever is wrong with the document; the job is rejected with its words
  Result<std::unique_ptr<JobOperation>> (*make)(const JobSurroundings& around, const JobOrder& order);
};

/// `{"reason": words}` with a status.
inline JobOutcome outcome(JobStatus status, std::string words) { return {status, {{"reason", std::move(words)}}}; }

}  // namespace fieldpost
