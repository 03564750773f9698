// SPDX-License-Identifier: Apache-2.0
// Names looked up in /etc/hosts and by DNS, without getaddrinfo(): in a static binary that one loads
// whatever module the target's /etc/nsswitch.conf names and dies when it was built for another C library
// (seen: SIGABRT on Debian 11, SIGFPE on Debian 13). It also costs 130 KB.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/link/socket_address.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// The addresses of `name`, IPv6 and IPv4 in turn, so that a host whose IPv6 is broken costs one share of
/// the time-out and not all of it. Ports are 0.
///
/// Asks /etc/hosts, then the servers, search list and options of /etc/resolv.conf (resolv.conf(5)), which
/// are read anew each time; "localhost" needs neither (RFC 6761). ".local" resolves only if a DNS server
/// knows it.
///
/// Errors: NotPresent   the name has no address
///         Unavailable  no DNS server answered, or it could not
/// Blocks: as long as the servers stay silent, by default 10 s each for IPv4 and for IPv6
Result<std::vector<SocketAddress>> look_up_host(const std::string& name);

/// The addresses that a hosts(5) file gives `name`, in its order; letters of either case are the same.
std::vector<SocketAddress> find_in_hosts(std::string_view hosts, std::string_view name);

/// The A and AAAA records of a DNS answer (RFC 1035 section 4, RFC 3596); none of one that is malformed.
std::vector<SocketAddress> addresses_in_dns_answer(std::span<const unsigned char> answer);

}  // namespace fieldpost
