// SPDX-License-Identifier: Apache-2.0
#include "agent/link/backoff.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstdint>

namespace fieldpost {

milliseconds Backoff::next() {
  // 2^30 milliseconds are twelve days: beyond any sensible maximum, and far from overflow.
  constexpr unsigned kDoublingsMax = 30;
  const auto factor = std::int64_t{1} << std::min(failures_, kDoublingsMax);
  const auto first = std::max<std::int64_t>(limits_.first.count(), 1);
  const auto ceiling = limits_.max.count() / first >= factor ? first * factor : limits_.max.count();
  ++failures_;
  return milliseconds{static_cast<std::int64_t>(random_() * static_cast<double>(ceiling))};
}

Backoff::Random system_random() {
  return [] {
    std::uint32_t bits = 0;
    // 4 bytes never come in part; before the pool is ready (early boot) GRND_NONBLOCK gives none,
    // and half of the ceiling is a fair wait.
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof bits)) return 0.5;
    return static_cast<double>(bits) / 4294967296.0;
  };
}

}  // namespace fieldpost
