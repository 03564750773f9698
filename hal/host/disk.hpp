// SPDX-License-Identifier: Apache-2.0
// Counters of every block device, out of one read of /proc/diskstats.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "hal/source.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {

/// The numbers after the name, in the kernel's order: reads completed, merged, sectors, milliseconds;
/// writes likewise; requests in flight, milliseconds busy, weighted; discards (4, since 4.18);
/// flushes and their milliseconds (since 5.5).
struct DiskstatsLine {
  static constexpr std::size_t kFieldsMax = 17;
  static constexpr std::size_t kFieldsMin = 11;

  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string_view name;
  std::array<std::uint64_t, kFieldsMax> fields{};
  std::size_t field_count = 0;
};

/// Parses the line at `scan` and goes to the next; nothing if it does not parse. With a filter that
/// says no, the fields are not looked at and field_count is 0.
/// Source: the kernel's Documentation/admin-guide/iostats.rst
std::optional<DiskstatsLine> parse_diskstats_line(TextScanner& scan,
                                                  bool (*wanted)(std::string_view name));

/// False for what node_exporter leaves out: RAM disks, zram, loops, floppies, and partitions of sd, hd,
/// vd, xvd and nvme disks (the partitions of an mmcblk stay).
bool is_disk_of_interest(std::string_view name);

/// Opens node_disk_*.
/// Unit:   bytes, 512; seconds, 0.001
/// Errors: NotPresent, Denied, Io
Result<std::unique_ptr<Source>> open_disk(const SourceContext& context);

}  // namespace fieldpost
