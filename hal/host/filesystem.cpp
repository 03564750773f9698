// SPDX-License-Identifier: Apache-2.0
// mountinfo says what is mounted, statfs(2) how full it is.
#include "hal/host/filesystem.hpp"

#include <sys/statfs.h>

#include <algorithm>
#include <cerrno>

#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

constexpr std::array<Metric, 7> kMetrics{{
    {"node_filesystem_size_bytes", "Filesystem size in bytes.", "bytes"},
    {"node_filesystem_free_bytes", "Filesystem free space in bytes.", "bytes"},
    {"node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", "bytes"},
    {"node_filesystem_files", "Filesystem total file nodes."},
    {"node_filesystem_files_free", "Filesystem total free file nodes."},
    {"node_filesystem_readonly", "Filesystem read-only status.", "", SeriesKind::state},
    {"node_filesystem_device_error",
     "Whether an error occurred while getting statistics for the given device.", "",
     SeriesKind::state},
}};
constexpr std::size_t kReadOnly = 5;
constexpr std::size_t kDeviceError = 6;

constexpr std::array<std::string_view, 22> kPseudoTypes{
    "autofs",     "binfmt_misc", "bpf",        "cgroup",     "cgroup2",   "configfs",
    "debugfs",    "devpts",      "devtmpfs",   "fusectl",    "hugetlbfs", "iso9660",
    "mqueue",     "nsfs",        "overlay",    "proc",       "pstore",    "rpc_pipefs",
    "securityfs", "squashfs",    "sysfs",      "tracefs"};

constexpr std::array<std::string_view, 9> kNetworkTypes{
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "glusterfs"};

constexpr std::array<std::string_view, 3> kPseudoPlaces{"/dev", "/proc", "/sys"};
// The last two are not node_exporter's: they come and go with each pod and each login.
constexpr std::array<std::string_view, 5> kPseudoParents{
    "/run/credentials/", "/var/lib/docker/", "/var/lib/containers/storage/", "/var/lib/kubelet/", "/run/user/"};

constexpr std::string_view kCapturedStatfs = "/captured/statfs";

bool is_at_or_below(std::string_view path, std::string_view place) {
  return path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/');
}

/// Mountinfo writes blank, tab, line feed and backslash as "\040" and so on.
std::string without_escapes(std::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' && is_octal(text[i + 1]) &&
        is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool has_option(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    if (option == wanted) return true;
    options.remove_prefix(std::min(options.size(), option.size() + 1));
  }
  return false;
}

/// One line: id parent major:minor root mount-point options [tags...] - type source super-options
std::optional<Mount> parse_mount(std::string_view line) {
  TextScanner scan{line};
  for (int skipped = 0; skipped < 4; ++skipped) scan.word();
  Mount mount;
  mount.mount_point = without_escapes(scan.word());
  mount.read_only = has_option(scan.word(), "ro");
  for (std::string_view word = scan.word(); word != "-"; word = scan.word()) {
    if (word.empty()) return std::nullopt;
  }
  mount.type = scan.word();
  mount.device = without_escapes(scan.word());
  if (mount.device.empty() || !mount.mount_point.starts_with('/')) return std::nullopt;
  return mount;
}

Result<FilesystemUse> ask_kernel(const std::string& mount_point) {
  struct statfs answer {};
  if (::statfs(mount_point.c_str(), &answer) != 0) {
    return errno_error("statfs " + mount_point, errno);
  }
  const auto block = static_cast<std::uint64_t>(answer.f_bsize);
  return FilesystemUse{answer.f_blocks * block, answer.f_bfree * block, answer.f_bavail * block,
                       answer.f_files, answer.f_ffree};
}

class FilesystemSource final : public Source {
 public:
  FilesystemSource(std::string mountinfo, const SourceContext& context)
      : mountinfo_{std::move(mountinfo)},
        tree_{context.tree},
        series_{context.series},
        network_mounts_{context.options.boolean("network_mounts", false)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    // Not kept open: overlays' lines are longer than what a KeptFile can tell the end by.
    const std::string text = TRY(tree_.read(mountinfo_));
    // Mounts change seldom, and comparing is a hundred times cheaper than parsing.
    if (text != mounted_text_) rescan(text);
    for (const Mounted& mounted : mounted_) {
      const auto use = ask(mounted.mount.mount_point);
      if (use) {
        const std::array values{use->size_bytes, use->free_bytes, use->available_bytes, use->files,
                                use->files_free};
        for (std::size_t i = 0; i < values.size(); ++i) sink.accept({mounted.series[i], values[i], now});
      }
      sink.accept({mounted.series[kReadOnly], mounted.mount.read_only ? 1 : 0, now});
      sink.accept({mounted.series[kDeviceError], use ? 0 : 1, now});
    }
    return {};
  }

 private:
  struct Mounted {
    Mount mount;
    std::array<SeriesId, kMetrics.size()> series;
  };

  void rescan(std::string_view text) {
    mounted_text_ = text;
    mounted_.clear();
    for (Mount& mount : parse_mountinfo(text)) {
      if (is_pseudo_mount(mount) || (!network_mounts_ && is_network_mount(mount))) continue;
      auto series = add_series(series_, kMetrics,
                               {{"device", mount.device},
                                {"fstype", mount.type},
                                {"mountpoint", mount.mount_point}});
      if (series) mounted_.push_back({std::move(mount), *series});
    }
  }

  Result<FilesystemUse> ask(const std::string& mount_point) const {
    if (tree_.is_machine()) return ask_kernel(mount_point);
    return parse_captured_statfs(TRY(tree_.read(kCapturedStatfs)), mount_point);
  }

  std::string mountinfo_;  ///< path
  const FileTree& tree_;
  SeriesTable& series_;
  bool network_mounts_;
  std::string mounted_text_;
  std::vector<Mounted> mounted_;
};

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    auto mount = parse_mount(line);
    if (!mount) continue;
    const bool known = std::ranges::any_of(mounts, [&](const Mount& other) {
      return other.device == mount->device && other.mount_point == mount->mount_point &&
             other.type == mount->type;
    });
    if (!known) mounts.push_back(std::move(*mount));
  }
  return mounts;
}

bool is_pseudo_mount(const Mount& mount) {
  const std::string_view place = mount.mount_point;
  return std::ranges::find(kPseudoTypes, mount.type) != kPseudoTypes.end() ||
         std::ranges::any_of(kPseudoPlaces, [&](auto at) { return is_at_or_below(place, at); }) ||
         std::ranges::any_of(kPseudoParents, [&](auto above) {
           return place.starts_with(above) && place.size() > above.size();
         });
}

bool is_network_mount(const Mount& mount) {
  return mount.type.starts_with("fuse") ||
         std::ranges::find(kNetworkTypes, mount.type) != kNetworkTypes.end();
}

Result<FilesystemUse> parse_captured_statfs(std::string_view text, std::string_view mount_point) {
  TextScanner scan{text};
  while (!scan.at_end()) {
    if (scan.word() == mount_point) {
      std::array<std::uint64_t, 6> fields{};
      bool whole = true;
      for (std::uint64_t& field : fields) {
        const auto number = scan.number();
        whole = whole && number;
        field = number.value_or(0);
      }
      if (!whole) return Error{ErrorKind::Malformed, "captured statfs: six numbers expected"};
      const std::uint64_t block = fields[0];
      return FilesystemUse{fields[1] * block, fields[2] * block, fields[3] * block, fields[4], fields[5]};
    }
    scan.skip_line();
  }
  return Error{ErrorKind::NotPresent, "captured statfs: nothing on " + std::string{mount_point}};
}

Result<std::unique_ptr<Source>> open_filesystem(const SourceContext& context) {
  // Process 1 sees the machine's mounts even when our own unit has a private view of them
  // (node_exporter reads there, too); hidepid or a container may forbid it.
  for (const char* path : {"/proc/1/mountinfo", "/proc/self/mountinfo"}) {
    if (context.tree.read(path)) return std::make_unique<FilesystemSource>(path, context);
  }
  return Error{ErrorKind::NotPresent, "no /proc/1/mountinfo and no /proc/self/mountinfo"};
}

}  // namespace fieldpost
