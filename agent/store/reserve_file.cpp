// SPDX-License-Identifier: Apache-2.0
// A file whose blocks are allocated and never written.
#include "agent/store/reserve_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "platform/file_descriptor.hpp"

namespace fieldpost {

bool ReserveFile::take() const {
  struct stat now {};
  if (::stat(path_.c_str(), &now) == 0 && now.st_blocks * 512 >= bytes_) return true;
  const FileDescriptor file{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)};
  if (!file) return false;
  struct statvfs space {};
  const bool known = ::fstatvfs(file.get(), &space) == 0;
  const auto free_bytes = static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
  // EOPNOTSUPP would make posix_fallocate write zeros, which is as good but wears the flash once.
  if (!known || free_bytes < 2 * bytes_ || ::posix_fallocate(file.get(), 0, bytes_) != 0) {
    release();
    return false;
  }
  return true;
}

bool ReserveFile::release() const { return ::unlink(path_.c_str()) == 0; }

}  // namespace fieldpost
