// SPDX-License-Identifier: Apache-2.0
// rtnetlink's messages about links, as LinkCounters and LinkAttributes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "hal/network/link.hpp"
#include "hal/network/netlink.hpp"

namespace fieldpost {

struct IndexedCounters {
  std::uint32_t index = 0;
  LinkCounters counters;
};

/// The counters out of the payload of an RTM_NEWSTATS (or, from kernels before 4.7, RTM_NEWLINK)
/// message. Sums as /proc/net/dev does.
/// Source: linux/if_link.h; the kernel's net/core/net-procfs.c, dev_seq_printf_stats
std::optional<IndexedCounters> parse_link_counters(const NetlinkMessage& message);

/// The state out of the payload of an RTM_NEWLINK message, in the words and numbers of
/// /sys/class/net. Some of those are not in the message: see add_link_attributes in link_files.hpp.
/// Source: linux/if_link.h, linux/rtnetlink.h
std::optional<LinkAttributes> parse_link_attributes(const NetlinkMessage& message);

}  // namespace fieldpost
