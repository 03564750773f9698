// SPDX-License-Identifier: Apache-2.0
// The kinds of jobs as constant rows.
#pragma once

#include <span>

#include "agent/jobs/job_operation.hpp"

namespace fieldpost {

/// Everything that a job can be. The first row takes the documents that name no operation of the table.
std::span<const JobKind> job_table();

}  // namespace fieldpost
