// SPDX-License-Identifier: Apache-2.0
// What the agent's process costs: CPU, memory, descriptors.
#pragma once

#include <cstdint>
#include <string_view>

#include "platform/file_tree.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct ProcessFigures {
  double cpu_seconds = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t open_descriptors = 0;
};

/// Source:   getrusage(2); /proc/self/statm and /proc/self/fd of proc(5), in pages and one entry each
/// Errors:   Malformed, Io
/// `machine` must be the real one: a captured tree knows nothing of this process.
Result<ProcessFigures> read_process_figures(const FileTree& machine);

/// Second number of statm, in pages. Errors: Malformed
Result<std::int64_t> parse_resident_pages(std::string_view statm);

}  // namespace fieldpost
