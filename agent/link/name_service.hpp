// SPDX-License-Identifier: Apache-2.0
// A static glibc loads whatever module the target's /etc/nsswitch.conf names, and dies when that
// was built for another glibc (seen: SIGABRT on Debian 11, SIGFPE on Debian 13).
#pragma once

namespace fieldpost {

/// Has names looked up in /etc/hosts and by DNS only, whatever nsswitch.conf says. ".local" names
/// then do not resolve unless a DNS server knows them. Call it first thing in main().
void configure_name_service() noexcept;

}  // namespace fieldpost
