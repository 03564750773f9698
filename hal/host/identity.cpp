// SPDX-License-Identifier: Apache-2.0
// uname and os-release, read once.
#include "hal/host/identity.hpp"

#include <sys/utsname.h>

#include <algorithm>

#include "hal/metric.hpp"

namespace fieldpost {
namespace {

constexpr Metric kUname{"node_uname_info",
                        "Labeled system information as provided by the uname system call.", "",
                        SeriesKind::state};
constexpr Metric kSystem{
    "node_os_info",
    "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, "
    "pretty_name, variant, variant_id, version, version_codename, version_id.",
    "", SeriesKind::state};

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kSystemLabels{{
    {"build_id", "BUILD_ID"},
    {"id", "ID"},
    {"id_like", "ID_LIKE"},
    {"image_id", "IMAGE_ID"},
    {"image_version", "IMAGE_VERSION"},
    {"name", "NAME"},
    {"pretty_name", "PRETTY_NAME"},
    {"variant", "VARIANT"},
    {"variant_id", "VARIANT_ID"},
    {"version", "VERSION"},
    {"version_codename", "VERSION_CODENAME"},
    {"version_id", "VERSION_ID"},
}};

class IdentitySource final : public Source {
 public:
  explicit IdentitySource(std::vector<SeriesId> series) : series_{std::move(series)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    for (const SeriesId id : series_) sink.accept({id, 1, now});
    return {};
  }

 private:
  std::vector<SeriesId> series_;
};

/// The machine type: /proc has it since Linux 6.1, uname(2) always.
std::string machine_type(const FileTree& tree) {
  if (tree.is_machine()) {
    utsname names{};
    if (::uname(&names) == 0) return names.machine;
  }
  for (const std::string_view path : {"/proc/sys/kernel/arch", "/captured/machine"}) {
    if (auto type = tree.read_line(path)) return *type;
  }
  return {};
}

Result<SeriesId> add_uname(const SourceContext& context) {
  const auto kernel = [&](std::string_view name) {
    return context.tree.read_line("/proc/sys/kernel/" + std::string{name});
  };
  const std::string release = TRY(kernel("osrelease"));
  return add_series(context.series, kUname,
                    {{"domainname", kernel("domainname").value_or("(none)")},
                     {"machine", machine_type(context.tree)},
                     {"nodename", kernel("hostname").value_or("")},
                     {"release", release},
                     {"sysname", kernel("ostype").value_or("Linux")},
                     {"version", kernel("version").value_or("")}});
}

Result<SeriesId> add_system(const SourceContext& context) {
  auto text = context.tree.read("/etc/os-release");
  if (!text) text = context.tree.read("/usr/lib/os-release");
  if (!text) return text.error();
  const auto facts = parse_os_release(*text);
  std::vector<Label> labels;
  for (const auto& [label, key] : kSystemLabels) {
    const auto found = facts.find(std::string{key});
    labels.push_back({std::string{label}, found == facts.end() ? "" : found->second});
  }
  return add_series(context.series, kSystem, std::move(labels));
}

}  // namespace

std::map<std::string, std::string> parse_os_release(std::string_view text) {
  std::map<std::string, std::string> facts;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0 || line.front() == '#') continue;
    std::string_view value = line.substr(equals + 1);
    const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                        value.back() == value.front();
    if (quoted) value = value.substr(1, value.size() - 2);
    std::string plain;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (quoted && value[i] == '\\' && i + 1 < value.size()) ++i;
      plain += value[i];
    }
    facts[std::string{line.substr(0, equals)}] = plain;
  }
  return facts;
}

Result<std::unique_ptr<Source>> open_identity(const SourceContext& context) {
  std::vector<SeriesId> series;
  auto uname = add_uname(context);
  auto system = add_system(context);
  if (uname) series.push_back(*uname);
  if (system) series.push_back(*system);
  if (series.empty()) return uname.error();
  return std::make_unique<IdentitySource>(std::move(series));
}

}  // namespace fieldpost
