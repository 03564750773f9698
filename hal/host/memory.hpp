// SPDX-License-Identifier: Apache-2.0
// Every line of /proc/meminfo, as node_memory_<name>_bytes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hal/source.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {

struct MeminfoLine {
  std::string_view key;     ///< "Active(anon)"
  std::uint64_t value = 0;  ///< in bytes if `in_bytes`, else a count (of huge pages)
  bool in_bytes = false;
};

/// Parses the line at `scan` and goes to the next. Nothing if it does not parse or its bytes do not
/// fit into 64 bits.
/// Source: proc(5); the kernel writes "kB" and means 1024 bytes
std::optional<MeminfoLine> parse_meminfo_line(TextScanner& scan);

/// "Active(anon)" -> "node_memory_Active_anon_bytes"; counts get no unit.
std::string meminfo_metric_name(std::string_view key, bool in_bytes);

/// Opens node_memory_*.
/// Unit:   bytes, 1024; counts of pages for node_memory_HugePages_*
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_memory(const SourceContext& context);

}  // namespace fieldpost
