// SPDX-License-Identifier: Apache-2.0
// Every network link: its counters at every read, its state whenever it changes. On the machine itself
// one rtnetlink dump tells all counters (20 times cheaper than a file each); a captured tree has
// files. Both give the same series.
#pragma once

#include <array>
#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

inline constexpr std::array kNetworkOptions{
    OptionDeclaration{"exclude", OptionDeclaration::Type::texts, false, "[\"veth*\"]",
                      "links to leave out, as shell patterns; containers make veth links without end"},
};

/// Opens node_network_*.
/// Unit:   bytes; bytes per second for the speed
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_network(const SourceContext& context);

/// The two ways, for the test that they agree.
Result<std::unique_ptr<Source>> open_network_from_kernel(const SourceContext& context);
Result<std::unique_ptr<Source>> open_network_from_files(const SourceContext& context);

}  // namespace fieldpost
