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

/// A command of the configuration reboots the host; done is this when the boot is another.
Result<std::unique_ptr<JobOperation>> make_host_reboot(const JobSurroundings& around, const JobOrder& order);

}  // namespace fieldpost
