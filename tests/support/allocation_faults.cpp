// SPDX-License-Identifier: Apache-2.0
#include "tests/support/allocation_faults.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

struct Faults {
  bool watches = false;
  std::uint64_t c_count = 0;
  std::uint64_t c_fail_at = 0;  ///< 0: none
  bool for_ever = false;
  std::uint64_t count = 0;
  std::uint64_t die_at = 0;
  void (*handler)() = nullptr;
};
Faults faults;

bool fails() {
  if (!faults.watches) return false;
  ++faults.c_count;
  return faults.c_fail_at != 0 &&
         (faults.for_ever ? faults.c_count >= faults.c_fail_at : faults.c_count == faults.c_fail_at);
}

}  // namespace

// NOLINTBEGIN: names and signatures are the linker's and libc's
extern "C" {

void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* block, size_t size);

void* __wrap_malloc(size_t size) { return fails() ? nullptr : __real_malloc(size); }
void* __wrap_calloc(size_t count, size_t size) { return fails() ? nullptr : __real_calloc(count, size); }
void* __wrap_realloc(void* block, size_t size) { return fails() ? nullptr : __real_realloc(block, size); }

}  // extern "C"

void* operator new(std::size_t size) {
  if (faults.watches && ++faults.count == faults.die_at && faults.handler != nullptr) faults.handler();
  void* const block = __real_malloc(size == 0 ? 1 : size);
  if (block == nullptr) std::abort();
  return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
// NOLINTEND

namespace fieldpost {

void AllocationFaults::watch(bool watches) { faults.watches = watches; }
std::uint64_t AllocationFaults::c_allocations() { return faults.c_count; }
std::uint64_t AllocationFaults::allocations() { return faults.count; }

void AllocationFaults::fail_c_after(std::uint64_t count, bool for_ever) {
  faults.c_fail_at = faults.c_count + count + 1;
  faults.for_ever = for_ever;
}

void AllocationFaults::die_after(std::uint64_t count, void (*handler)()) {
  faults.die_at = faults.count + count + 1;
  faults.handler = handler;
}

void AllocationFaults::heal() {
  faults.c_fail_at = 0;
  faults.die_at = 0;
}

}  // namespace fieldpost
