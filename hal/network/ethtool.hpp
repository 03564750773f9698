// SPDX-License-Identifier: Apache-2.0
// What the network hardware itself counts: the driver's own statistics (ETHTOOL_GSTATS) and the
// Ethernet standard ones (ETHTOOL_MSG_STATS_GET). Off by default, as in node_exporter: some adapters
// have a thousand of them, and reading may wait for firmware.
#pragma once

#include <array>
#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

inline constexpr std::array kEthtoolOptions{
    OptionDeclaration{"exclude", OptionDeclaration::Type::texts, false, "[\"veth*\"]",
                      "links to leave out, as shell patterns"},
    OptionDeclaration{"statistics", OptionDeclaration::Type::texts, false, "[\"*\"]",
                      "the driver's statistics to read, as shell patterns of the driver's names"},
};

/// Opens node_ethtool_* and fieldpost_ethernet_*.
/// Errors: NotPresent   a captured tree (it holds no answers of ioctl), or no link has any
///         Io
/// Blocks: some adapters take tens of milliseconds; call on the worker
Result<std::unique_ptr<Source>> open_ethtool(const SourceContext& context);

}  // namespace fieldpost
