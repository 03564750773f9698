// SPDX-License-Identifier: Apache-2.0
// What the operator asks of the server, one JSON object each: {"do": "job create", ...}. The commands in
// agent/commands/fleet*.cpp are the only ones that ask, through a socket of the server's machine.
#pragma once

#include <cstdint>
#include <string>

#include "agent/fleet/device_shadows.hpp"
#include "agent/fleet/fleet_jobs.hpp"
#include "agent/fleet/fleet_register.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class OperatorDesk {
 public:
  /// All lent, all outlive it.
  OperatorDesk(FleetRegister& devices, FleetJobs& jobs, DeviceShadows& shadows) : devices_{devices}, jobs_{jobs}, shadows_{shadows} {}

  /// Adds the answer's members to an open object. Whoever calls commits.
  /// Errors: OutOfRange, Malformed, NotPresent, Unavailable, with a sentence for the operator
  Result<void> answer(const Json& request, std::int64_t now, JsonWriter& json);

 private:
  struct Row;
  static const Row kRows[];
  Result<void> devices(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> groups(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> group_add(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> group_remove(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> job_create(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> job_list(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> job_show(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> job_cancel(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> state_get(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> state_set(const Json& request, std::int64_t now, JsonWriter& json);
  Result<void> label(const Json& request, bool remove, JsonWriter& json);
  Result<std::vector<std::string>> targets(const std::string& name);

  FleetRegister& devices_;
  FleetJobs& jobs_;
  DeviceShadows& shadows_;
};

}  // namespace fieldpost
