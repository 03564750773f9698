// SPDX-License-Identifier: Apache-2.0
// Small files that must survive a power cut whole: either the old content is there or the new one,
// never a mixture and never an empty file. For what stands outside the database (newest seq, epoch,
// keys and certificates taken over from the cloud).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

/// Replaces (or makes) `path` by writing "<path>.new", fsync, rename, and fsync of the directory.
/// When it returns, the content is on the medium. On failure the old file is as it was.
///
/// Errors:   NotPresent (no such directory), Denied, Full, Io
/// Blocks:   up to seconds on worn flash; call on the worker
/// Requires: one writer of a path at a time
Result<void> replace_file_durably(const std::string& path, std::string_view content, mode_t mode = 0640);

/// The whole file, at most `bytes_max` of it.
/// Errors: NotPresent, Denied, Io, OutOfRange (larger)
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

/// Makes durable which files there are beside `path`, itself among them.
/// Errors: NotPresent, Denied, Io
/// Blocks:   as replace_file_durably
Result<void> sync_directory_of(const std::string& path);

/// Removes a file and makes that durable; a file that is not there is fine.
/// Errors: Denied, Io
/// Blocks: as replace_file_durably
Result<void> remove_file_durably(const std::string& path);

}  // namespace fieldpost
