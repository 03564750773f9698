// SPDX-License-Identifier: Apache-2.0
// Closing a descriptor, out of line so that the header needs no system header.
#include "platform/file_descriptor.hpp"

#include <unistd.h>

namespace fieldpost {

void FileDescriptor::close() noexcept {
  // Not repeated after EINTR: Linux has freed the number by then, and another thread may own it.
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

}  // namespace fieldpost
