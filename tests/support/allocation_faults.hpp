// SPDX-License-Identifier: Apache-2.0
// Makes the n-th allocation fail, for whoever links it: malloc() and its like as the C libraries call them
// (SQLite, zstd), and operator new, which is ours. The linker sends the former here (--wrap); the latter is
// replaced.
#pragma once

#include <cstdint>

namespace fieldpost {

class AllocationFaults {
 public:
  /// Counts, and fails, only while it watches: what a test does for itself is not meant.
  static void watch(bool watches);
  static std::uint64_t c_allocations();  ///< so far
  static std::uint64_t allocations();    ///< by operator new
  /// After so many more C allocations one gives a null pointer, or all from it on do.
  static void fail_c_after(std::uint64_t count, bool for_ever);
  /// After so many more uses of operator new `handler` is called, which does not come back: what the agent
  /// does is end.
  static void die_after(std::uint64_t count, void (*handler)());
  static void heal();
};

}  // namespace fieldpost
