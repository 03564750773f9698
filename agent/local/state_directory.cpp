// SPDX-License-Identifier: Apache-2.0
// mkdir(2) for each part of the path; std::filesystem would bring more code than the rest of this room.
#include "agent/local/state_directory.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace fieldpost {

Result<void> make_directories(const std::string& path, mode_t mode) {
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    // A parent that is there may refuse with EROFS or EACCES before it says EEXIST.
    const int error_number = errno;
    struct stat status {};
    if (::stat(part.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) continue;
    return errno_error("make directory " + part, error_number);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    return Error{ErrorKind::Io, path + " is not a directory"};
  }
  return {};
}

}  // namespace fieldpost
