// SPDX-License-Identifier: Apache-2.0
// The same facts about links from files: all there is in a captured tree, and on the machine the few
// that rtnetlink does not tell (speed, duplex, how the name and the address came about).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hal/network/link.hpp"
#include "hal/text_scanner.hpp"
#include "platform/file_tree.hpp"

namespace fieldpost {

struct NetDevLine {
  std::string_view device;
  LinkCounters counters;  ///< without receive_nohandler
};

/// Parses the line at `scan` of /proc/net/dev and goes to the next. Nothing for the two heading lines
/// and for lines that do not parse.
/// Source: proc(5)
std::optional<NetDevLine> parse_net_dev_line(TextScanner& scan);

/// Everything /sys/class/net says about the state of `device`.
LinkAttributes read_link_attributes(const FileTree& tree, const std::string& device);

/// Only what an rtnetlink message lacks.
/// Blocks: a read of the speed asks the driver; a USB adapter may take a millisecond
void add_link_attributes(const FileTree& tree, LinkAttributes& state);

}  // namespace fieldpost
