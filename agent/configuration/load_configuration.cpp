// SPDX-License-Identifier: Apache-2.0
// From the disk and the environment to the texts that read_configuration() wants.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/toml_value.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

/// Names of the files laid over the main one, in the order of their bytes. Others than *.toml are left
/// alone: editors and package tools put their copies there.
/// Errors: Io, Denied, OutOfRange (too many)
Result<std::vector<std::string>> drop_in_names(const std::string& directory) {
  constexpr std::size_t kDropInsMax = 100;
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened{::opendir(directory.c_str()), &::closedir};
  if (!opened) {
    if (errno == ENOENT || errno == ENOTDIR) return names;
    return errno_error("open " + directory, errno);
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string name{static_cast<const char*>(entry->d_name)};
    if (name.starts_with(".") || !name.ends_with(".toml")) continue;
    if (names.size() == kDropInsMax) {
      return Error{ErrorKind::OutOfRange, "more than " + std::to_string(kDropInsMax) + " files"};
    }
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<DropIn> read_drop_ins(const std::string& directory) {
  const auto names = drop_in_names(directory);
  if (!names) return {{directory, names.error()}};
  std::vector<DropIn> drop_ins;
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    drop_ins.push_back({path, read_file(path, kTomlBytesMax)});
  }
  return drop_ins;
}

std::vector<EnvironmentVariable> environment_variables() {
  std::vector<EnvironmentVariable> variables;
  for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view text{*each};
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.push_back({std::string{text.substr(0, equals)}, std::string{text.substr(equals + 1)}});
  }
  return variables;
}

}  // namespace

ConfigurationResult load_configuration(const std::string& path, std::span<const Driver> drivers, const DropIn* overlay) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto text = read_file(path, kTomlBytesMax);
  if (!text) {
    Problems problems{path};
    problems.error(0, text.error().kind() == ErrorKind::NotPresent
                          ? "no such file; say where it is with --config FILE"
                          : text.error().sentence());
    return {.configuration = {}, .problems = std::move(problems).take(), .files = {path}, .errors = 1};
  }
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash);
  std::vector<DropIn> drop_ins = read_drop_ins(directory.empty() ? "conf.d" : directory + "/conf.d");
  if (overlay != nullptr) drop_ins.push_back(*overlay);
  return read_configuration(*text,
                            {.file_name = path,
                             .directory = directory,
                             .host_name = host.data(),
                             .drivers = drivers,
                             .drop_ins = std::move(drop_ins),
                             .environment = environment_variables()});
}

}  // namespace fieldpost
