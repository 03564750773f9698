// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/allowed_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace fieldpost {
namespace {

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> found{::realpath(path.c_str(), nullptr), &std::free};
  if (!found) return errno_error("handler " + path, errno);
  return std::string{found.get()};
}

/// Errors: Denied, and as lstat(2)
Result<struct stat> guarded(const std::string& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) return errno_error("handler " + path, errno);
  const bool trusted = about.st_uid == 0 || about.st_uid == ::geteuid();
  if (!trusted || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{ErrorKind::Denied, path + " could be changed by others: make it the agent's or root's own, mode 700"};
  }
  return about;
}

}  // namespace

Result<std::string> allowed_program(const std::string& directory, const std::string& place, const std::string& name) {
  if (name.empty() || name[0] == '.' || name.find('/') != std::string::npos || name.find('\0') != std::string::npos) {
    return Error{ErrorKind::Denied, "\"" + name + "\" is no name of a handler"};
  }
  const std::string root = TRY(real_path(directory));
  const std::string folder = place.empty() || place == "default" ? root : TRY(real_path(place));
  if (folder != root && !folder.starts_with(root + "/")) {
    return Error{ErrorKind::Denied, "\"" + place + "\" is not below " + directory + ", where handlers are"};
  }
  std::string path = folder + "/" + name;
  // Whoever may write in one of them may put another in the place of the next.
  for (std::size_t end = root.size(); end < path.size(); end = path.find('/', end + 1)) TRY(guarded(path.substr(0, end)));
  const struct stat about = TRY(guarded(path));
  if (!S_ISREG(about.st_mode) || (about.st_mode & S_IXUSR) == 0) {
    return Error{ErrorKind::Denied, path + " is no file that can be executed"};
  }
  return path;
}

}  // namespace fieldpost
