// SPDX-License-Identifier: Apache-2.0
// Two agents on one outbox would both hand out the same sequence numbers. A locked file in the state
// directory keeps the second one out; the kernel drops the lock with its process, so no stale lock is
// ever in the way.
#pragma once

#include <string>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class InstanceLock {
 public:
  /// Locks "fieldpost.lock" in `directory`.
  ///
  /// Errors: Unavailable (another process has it; the sentence names its number), NotPresent, Denied,
  ///         Full, Io: no lock can be had here, for a reason of the disk
  static Result<InstanceLock> take(const std::string& directory);

 private:
  explicit InstanceLock(FileDescriptor file) : file_{std::move(file)} {}
  FileDescriptor file_;
};

}  // namespace fieldpost
