// SPDX-License-Identifier: Apache-2.0
// Puts a CrashDisk under everything that touches files below /crash/: SQLite's own Unix layer and our durable
// files alike. The linker sends the calls of libc here (fieldpost_on_crash_disk() in CMake: --wrap), so that
// what is tested is what is shipped, down to its order of system calls; other paths go to the real system.
// One thread at a time; in exchange a cut costs no system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

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

  /// What is called, as far as the errors go that it may give.
  enum class Call : std::uint8_t { open, close, read, write, sync, resize, allocate, lock, mode, stat, space, access, remove, rename, make_directory, list, random };

  /// A call that fails, and which of those behind it.
  struct Fault {
    enum class Extent : std::uint8_t {
      once,
      for_ever,              ///< every call that may give this error
      for_ever_of_its_kind,  ///< every one that calls the same
    };
    std::uint64_t after = 0;  ///< so many calls from now on go well
    int error = 0;            ///< kShort: a read or a write does the half of it
    Extent extent{};
  };
  static constexpr int kShort = -1;
  /// The errors that POSIX and Linux's manual pages name for it and that a disk, a full table or a signal may cause.
  static const std::vector<int>& errors_of(Call call);
  /// From now on. A sync that fails with EIO takes what was to be synced with it, as on Linux.
  static void fail(const Fault& fault);
  static void heal();

  /// Calls so far below /crash/; and, if that is wanted, which.
  static std::uint64_t calls();
  static void record(std::vector<Call>* into);
};

}  // namespace fieldpost
