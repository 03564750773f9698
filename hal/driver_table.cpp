// SPDX-License-Identifier: Apache-2.0
// Every driver, one row each. A constant table and not self-registering objects: the linker would
// leave those out of a static archive. How to add one: hal/README.md.
#include <algorithm>
#include <array>

#include "hal/source.hpp"

namespace fieldpost {
namespace {

constexpr std::array<Driver, 0> kDrivers{};

}  // namespace

std::span<const Driver> driver_table() { return kDrivers; }

const Driver* find_driver(std::string_view name) {
  const auto found = std::ranges::find(kDrivers, name, &Driver::name);
  return found == kDrivers.end() ? nullptr : &*found;
}

}  // namespace fieldpost
