// SPDX-License-Identifier: Apache-2.0
// [cloud], and what its profile says of [broker], [device] and [identity]: a contradiction is told here, before the
// service refuses it without a word.
#pragma once

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/section_reader.hpp"

namespace fieldpost {

/// `configuration` holds what was read of the other sections; its link is completed by the profile.
void read_cloud(const SectionReader& cloud, const SectionReader& broker, const SectionReader& identity,
                Configuration& configuration);

}  // namespace fieldpost
