// SPDX-License-Identifier: Apache-2.0
// A new kind of job is a row here and a source file that makes it.
#include "agent/jobs/job_table.hpp"

#include "agent/jobs/operations.hpp"

namespace fieldpost {
namespace {

constexpr JobKind kKinds[] = {
    {"command.run", false, &make_command_run},
    {"configuration.apply", false, &make_configuration_apply},
    {"certificate.rotate", true, &make_certificate_rotate},
    {"diagnostics.collect", true, &make_diagnostics_collect},
    {"agent.restart", false, &make_agent_restart},
    {"host.reboot", false, &make_host_reboot},
};

}  // namespace

std::span<const JobKind> job_table() { return kKinds; }

}  // namespace fieldpost
