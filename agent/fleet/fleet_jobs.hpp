// SPDX-License-Identifier: Apache-2.0
// The operator's side of jobs: create, look at, cancel; and what happens by itself each second: the rollout goes on, the
// threshold is watched, what has run out of time is ended, old history goes. All progress is in the database.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fleet/device_jobs.hpp"
#include "agent/fleet/fleet_database.hpp"
#include "agent/fleet/rollout.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct FleetJob {
  std::string id;
  std::string document;
  RolloutOptions rollout;
  bool abort_running = false;  ///< when it is stopped, cancel what devices are doing as well
  std::int64_t timeout_minutes = 0;  ///< of one device, from its start; 0: none
  std::vector<std::string> devices;
};

class FleetJobs {
 public:
  static constexpr std::size_t kDocumentBytesMax = 32U << 10U;
  static constexpr std::size_t kIdBytesMax = 64;
  static constexpr std::int64_t kKeptSeconds = std::int64_t{90} * 86'400;

  /// Both lent, both outlive it.
  FleetJobs(FleetDatabase& database, DeviceJobs& devices) : database_{database}, devices_{devices} {}

  /// Errors: OutOfRange, Malformed, Unavailable (there is one of that name)
  Result<void> create(const FleetJob& job, std::int64_t now);
  /// Errors: NotPresent, Unavailable (it is over)
  Result<std::int64_t> cancel(const std::string& id, bool running, std::int64_t now);
  /// Everything that is due. `now_us`: microseconds of UTC.
  void tick(std::int64_t now_us);

  RolloutCounts counts(const std::string& id);
  void write_list(JsonWriter& json);
  /// The job with its counts, rate and last failures as members of an open object. False if there is none.
  bool write(JsonWriter& json, const std::string& id);

 private:
  void advance(const std::string& id, const RolloutOptions& rollout, bool abort_running, std::int64_t next_us, std::int64_t now_us);
  void release(const std::string& id, std::int64_t count, std::int64_t now);
  std::int64_t stop(const std::string& id, std::string_view state, std::string_view reason, bool running, std::int64_t now);

  FleetDatabase& database_;
  DeviceJobs& devices_;
  std::int64_t cleaned_ = 0;
};

}  // namespace fieldpost
