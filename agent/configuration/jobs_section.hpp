// SPDX-License-Identifier: Apache-2.0
// [jobs]: whether the cloud may have this device do something, what, and when.
#pragma once

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/section_reader.hpp"

namespace fieldpost {

/// `configuration` holds what was read of [device], [broker] and [cloud].
void read_jobs(const SectionReader& jobs, Configuration& configuration);

}  // namespace fieldpost
