// SPDX-License-Identifier: Apache-2.0
// What work costs: CPU time of this thread, and bytes written to storage.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace fieldpost {

using Seconds = std::chrono::duration<double>;

/// Of the calling thread: the machine is shared.
Seconds cpu_time();

/// What this process caused to be written to storage so far; -1 where the kernel does not count.
std::int64_t written_bytes();

/// A new directory on a real disk ($TMPDIR or /var/tmp). Ends the program where there is none.
std::string new_directory();

/// Removes a directory and the plain files in it.
void remove_directory(const std::string& directory);

}  // namespace fieldpost
