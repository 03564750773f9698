// SPDX-License-Identifier: Apache-2.0
// Stream sockets with a name in the file system: the control socket, and where ffmpeg may send its
// progress. All descriptors are close-on-exec and do not block.
#pragma once

#include <sys/types.h>

#include <string>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// The kernel's bound on the name, its final NUL not counted (sun_path of unix(7)).
inline constexpr std::size_t kUnixSocketPathBytesMax = 107;

/// Listens at `path`, reachable for whom `mode` says. A socket that nobody serves any more is
/// replaced; one that answers is not.
///
/// Errors: OutOfRange   the path is longer than kUnixSocketPathBytesMax
///         Unavailable  another process listens there
///         Denied       something that is not a socket stands there, or no permission
///         NotPresent   no such directory
///         Io
Result<FileDescriptor> listen_unix(const std::string& path, mode_t mode = 0660);

/// The next connection; Unavailable when none waits.
Result<FileDescriptor> accept_unix(const FileDescriptor& listener);

/// Errors: NotPresent (nobody listens there), Denied, Unavailable (its queue is full), OutOfRange, Io
Result<FileDescriptor> connect_unix(const std::string& path);

/// Who is at the other end, as the kernel knows it.
struct UnixPeer {
  pid_t process;
  uid_t user;
  gid_t group;
};
/// Errors: Io
Result<UnixPeer> unix_peer(const FileDescriptor& connection);

}  // namespace fieldpost
