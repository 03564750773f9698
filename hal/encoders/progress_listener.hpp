// SPDX-License-Identifier: Apache-2.0
// Where encoders connect to: a Unix socket or a TCP port. Nothing here blocks.
#pragma once

#include <string_view>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Listens at "unix:/path", "tcp:127.0.0.1:9700" or "tcp:[::1]:9700". Addresses are numbers, since
/// looking up a name may block. The stream is neither encrypted nor authenticated: addresses other
/// than the machine's own are taken only if `remote_allowed`.
///
/// Errors: OutOfRange   the address does not parse
///         Denied       not a loopback address, or no permission
///         Unavailable  somebody else listens there
///         NotPresent   no such directory, or no such address on this machine
///         Io
Result<FileDescriptor> listen_for_progress(std::string_view address, bool remote_allowed);

/// The next connection, or an empty descriptor when none waits.
/// Errors: Io
Result<FileDescriptor> accept_progress(const FileDescriptor& listener);

}  // namespace fieldpost
