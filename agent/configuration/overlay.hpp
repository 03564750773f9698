// SPDX-License-Identifier: Apache-2.0
// A configuration laid over another: the files of conf.d/ over the main one, the environment over
// all. So a package brings the main file, an integrator adds one of his own beside it, and a container
// needs no file at all.
#pragma once

#include <string_view>
#include <vector>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/problem.hpp"
#include "agent/configuration/toml_value.hpp"

namespace fieldpost {

/// Sections are merged key by key; [[series]] and [[rule]] are continued; anything else is replaced.
void lay_over(TomlValue& base, TomlValue over);

/// Parses file number `file` of `problems` and lays it over `document`.
void lay_text(std::string_view text, int file, TomlValue& document, Problems& problems);

/// FIELDPOST_BROKER_URL is "url" in [broker]: any key of a section that stands once, in capitals. Empty
/// ones count as not set, and variables that name no section are somebody else's. Sources, series and
/// rules are set in files. Each variable becomes a file of `problems`.
void lay_environment(std::vector<EnvironmentVariable> variables, TomlValue& document, Problems& problems);

}  // namespace fieldpost
