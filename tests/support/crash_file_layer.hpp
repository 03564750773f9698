// SPDX-License-Identifier: Apache-2.0
// Puts a CrashDisk under everything that touches files below /crash/: SQLite's own Unix layer and our durable
// files alike. The linker sends the calls of libc here (fieldpost_on_crash_disk() in CMake: --wrap), so that
// what is tested is what is shipped, down to its order of system calls; other paths go to the real system.
// One thread at a time; in exchange a cut costs no system call.
#pragma once

#include <cstdint>

#include "tests/support/crash_disk.hpp"

namespace fieldpost {

class CrashFileLayer {
 public:
  static constexpr const char* kDirectory = "/crash/state";

  /// `disk` is lent until the next mount(); nullptr: there is nothing below /crash/. Descriptors that are
  /// open stay so and give EIO, as those of a process that died with the power. `seed`: for getrandom().
  /// Returns a number for resume().
  static std::uint64_t mount(CrashDisk* disk, std::uint64_t seed);

  /// Back to an earlier mount, whose disk may lie elsewhere now; its descriptors work again.
  static void resume(CrashDisk* disk, std::uint64_t mount);
};

}  // namespace fieldpost
