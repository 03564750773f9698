// SPDX-License-Identifier: Apache-2.0
// What makes each operation of the table; one source file each.
#pragma once

#include "agent/jobs/job_operation.hpp"

namespace fieldpost {

/// Handlers and programs, step by step. One that was cut off is not run again, and the job fails; but a handler that the
/// configuration names may be, when a reboot came between: it began the reboot itself, and now says how that went.
Result<std::unique_ptr<JobOperation>> make_command_run(const JobSurroundings& around, const JobOrder& order);

/// The agent begins anew in the same process, as with SIGHUP.
Result<std::unique_ptr<JobOperation>> make_agent_restart(const JobSurroundings& around, const JobOrder& order);

/// `"configuration"`, as the desired state has it: checked, tried, and confirmed or put back.
Result<std::unique_ptr<JobOperation>> make_configuration_apply(const JobSurroundings& around, const JobOrder& order);

/// A new key and certificate though the old one is good still; done is this when the new one is in use.
Result<std::unique_ptr<JobOperation>> make_certificate_rotate(const JobSurroundings& around, const JobOrder& order);

/// What a person wants to see who looks for a fault, as an archive in parts over MQTT.
Result<std::unique_ptr<JobOperation>> make_diagnostics_collect(const JobSurroundings& around, const JobOrder& order);

/// A command of the configuration reboots the host; done is this when the boot is another.
Result<std::unique_ptr<JobOperation>> make_host_reboot(const JobSurroundings& around, const JobOrder& order);

}  // namespace fieldpost
