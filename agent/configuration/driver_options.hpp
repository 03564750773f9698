// SPDX-License-Identifier: Apache-2.0
// [source.NAME]: which sources to open, and each driver's own options against its declarations.
#pragma once

#include <span>
#include <vector>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/section_reader.hpp"

namespace fieldpost {

/// `sources` is the table of all [source.*] sections, or null. The result holds every source that the
/// file names and, where `with_defaults`, every driver that is on by default and not named there.
std::vector<SourceOptions> read_sources(const TomlValue* sources, std::span<const Driver> drivers,
                                        nanoseconds default_interval, bool with_defaults,
                                        SectionReader::File& file);

}  // namespace fieldpost
