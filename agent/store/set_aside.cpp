// SPDX-License-Identifier: Apache-2.0
// Copies are told apart by second, and by a number within one second; names sort by age.
#include "agent/store/set_aside.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr int kNamesASecondMax = 1000;
constexpr std::string_view kMark = ".damaged-";
constexpr std::string_view kLog = "-wal";

/// "20261120T134827Z" of "2026-11-20T13:48:27.123Z".
std::string stamp_of(UtcTime time) {
  std::string stamp = to_rfc3339(time);
  stamp.resize(std::min<std::size_t>(stamp.size(), 19));
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  return stamp + "Z";
}

std::string free_name(const std::string& path, UtcTime now) {
  const std::string wanted = path + std::string{kMark} + stamp_of(now);
  for (int number = 0; number < kNamesASecondMax; ++number) {
    char suffix[8] = "";
    if (number > 0) std::snprintf(suffix, sizeof suffix, ".%03d", number);
    const std::string name = wanted + suffix;
    if (::access(name.c_str(), F_OK) != 0 && ::access((name + std::string{kLog}).c_str(), F_OK) != 0) return name;
  }
  return wanted;  // replaces the first of a thousand in one second
}

Result<void> rename_if_there(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return errno_error("rename " + from, errno);
  return {};
}

}  // namespace

std::vector<std::string> copies_set_aside(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  const std::string start = path.substr(slash == std::string::npos ? 0 : slash + 1) + std::string{kMark};
  std::vector<std::string> copies;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing{::opendir(directory.c_str()), ::closedir};
  if (!listing) return copies;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): safe for a stream that only one thread uses (POSIX.1-2024)
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name{entry->d_name};
    if (name.starts_with(start) && !name.ends_with(kLog)) copies.push_back(directory + "/" + std::string{name});
  }
  std::sort(copies.begin(), copies.end());
  return copies;
}

void remove_copies_set_aside(const std::string& path, std::size_t count_kept, const std::vector<std::string>& kept) {
  auto copies = copies_set_aside(path);
  for (const std::string& name : kept) count_kept -= std::min<std::size_t>(count_kept, std::erase(copies, name));
  for (std::size_t i = 0; i + count_kept < copies.size(); ++i) {
    ::unlink((copies[i] + std::string{kLog}).c_str());
    ::unlink(copies[i].c_str());
  }
}

Result<std::string> set_aside(const std::string& path, UtcTime now, const std::string& kept) {
  const std::string name = free_name(path, now);
  // The log first: a database without its log is merely older, a log without its database is nothing.
  TRY(rename_if_there(path + std::string{kLog}, name + std::string{kLog}));
  TRY(rename_if_there(path, name));
  ::unlink((path + "-shm").c_str());
  // Not this one, whatever the clock says: it is yet to be salvaged.
  remove_copies_set_aside(path, kDamagedKeptMax, {name, kept});
  return name;
}

}  // namespace fieldpost
