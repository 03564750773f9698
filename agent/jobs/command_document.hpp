// SPDX-License-Identifier: Apache-2.0
// A job's document that has something run, as the AWS IoT Device Client takes it: version 1.0 with `steps`, or the flat form
// of before with `operation`. What it may have run is decided here, before anything is: handlers of one directory, and programs
// that the configuration names.
// Source: aws-iot-device-client, source/jobs/README.md; protocols.md 1.8
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/jobs/job_options.hpp"
#include "platform/json.hpp"

namespace fieldpost {

struct CommandStep {
  std::string name;                    ///< for people
  std::string handler;                 ///< its file's name; empty: a program
  std::vector<std::string> arguments;  ///< [0] is the program
  std::optional<std::int64_t> error_lines_max;
  bool failure_is_ignored = false;
};

struct CommandPlan {
  std::vector<CommandStep> steps;  ///< the final one last: it follows only if all others succeeded, as each follows the one before
  bool output_is_told = false;
};

inline constexpr std::size_t kCommandStepsMax = 32;
inline constexpr std::size_t kCommandArgumentsMax = 64;

/// Errors: Malformed, OutOfRange (the document); Denied, NotPresent (what it asks for)
Result<CommandPlan> command_plan(const Json& document, const JobOptions& options);

}  // namespace fieldpost
