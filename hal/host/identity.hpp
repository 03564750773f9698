// SPDX-License-Identifier: Apache-2.0
// Which kernel and which system run here: constant series that carry it in their labels.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "hal/source.hpp"

namespace fieldpost {

/// KEY=value lines, quotes taken off; keys as they stand.
/// Source: os-release(5)
std::map<std::string, std::string> parse_os_release(std::string_view text);

/// Opens node_uname_info and node_os_info. In a captured tree the machine type is the word in
/// /captured/machine where /proc/sys/kernel/arch (Linux 6.1) is missing.
/// Errors: NotPresent   neither is known
Result<std::unique_ptr<Source>> open_identity(const SourceContext& context);

}  // namespace fieldpost
