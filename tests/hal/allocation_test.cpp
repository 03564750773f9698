// SPDX-License-Identifier: Apache-2.0
// A read allocates nothing once its buffers have grown: counted, for every driver that reads on the loop.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "hal/source.hpp"

namespace {
std::size_t allocations = 0;
}

// Not inlined, or the compiler sees malloc meet delete and warns.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace fieldpost {
namespace {

class Dropping final : public SampleSink {
 public:
  void accept(const Sample&) override { ++count; }
  std::size_t count = 0;
};

TEST(Drivers, ReadOnTheLoopWithoutAllocating) {
  const FileTree tree{"/"};
  SeriesTable series;
  const OptionValues options;
  int opened = 0;
  for (const Driver& driver : driver_table()) {
    if (!driver.on_by_default || driver.reads != Driver::Reads::on_loop) continue;
    auto source = driver.open({tree, series, options, driver.name});
    if (!source) continue;  // not on this machine
    Dropping sink;
    for (int i = 0; i < 3; ++i) EXPECT_TRUE((*source)->read(sink, BootTime{seconds{1}})) << driver.name;
    const std::size_t before = allocations;
    const auto read = (*source)->read(sink, BootTime{seconds{2}});
    EXPECT_EQ(allocations - before, 0U) << driver.name;
    EXPECT_TRUE(read) << driver.name;
    EXPECT_GT(sink.count, 0U) << driver.name;
    ++opened;
  }
  EXPECT_GE(opened, 6) << "cpu, memory, load, disk, time and network are on every machine";
}

}  // namespace
}  // namespace fieldpost
