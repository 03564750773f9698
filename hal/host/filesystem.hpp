// SPDX-License-Identifier: Apache-2.0
// Space and inodes of every mounted file system that holds data. statfs(2) may wait for a disk or a
// server, so this driver reads on the worker, and leaves network file systems out unless asked: a
// server that is gone would hold the worker for ever.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hal/source.hpp"

namespace fieldpost {

struct Mount {
  std::string device;       ///< the mount source: "/dev/mmcblk0p2"
  std::string mount_point;  ///< where it is seen
  std::string type;         ///< "ext4"
  bool read_only = false;
  friend bool operator==(const Mount&, const Mount&) = default;
};

/// Parses /proc/self/mountinfo; lines that do not parse are left out, octal escapes are undone, and
/// of several mounts of one device at one place only the first is kept.
/// Source: proc(5)
std::vector<Mount> parse_mountinfo(std::string_view text);

/// True for what node_exporter leaves out by default: kernel file systems, and mounts below /dev, /proc,
/// /sys, /run/credentials and the storage of containers.
bool is_pseudo_mount(const Mount& mount);

/// True where an answer may have to come from another machine.
bool is_network_mount(const Mount& mount);

struct FilesystemUse {
  std::uint64_t size_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t available_bytes = 0;  ///< to everybody but root
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
};

/// The stand-in for statfs(2) in a captured tree, "/captured/statfs": a line a mount of
/// `mount-point block-size blocks free available files files-free`.
/// Errors: NotPresent   no line for it
Result<FilesystemUse> parse_captured_statfs(std::string_view text, std::string_view mount_point);

inline constexpr std::array kFilesystemOptions{
    OptionDeclaration{"network_mounts", OptionDeclaration::Type::boolean, false, "false",
                      "also ask NFS, CIFS and FUSE mounts, which may block for as long as a server is gone"},
};

/// Opens node_filesystem_*.
/// Unit:   bytes
/// Errors: NotPresent, Denied, Io
/// Blocks: read() as long as statfs(2) does
Result<std::unique_ptr<Source>> open_filesystem(const SourceContext& context);

}  // namespace fieldpost
