// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: exponential with full jitter, so that ten thousand
// posts that lost the same broker do not come back in the same second.
// (Brooker, "Exponential Backoff And Jitter", AWS 2015: full jitter needs the fewest calls.)
#pragma once

#include <functional>

#include "platform/clock.hpp"

namespace fieldpost {

class Backoff {
 public:
  struct Limits {
    milliseconds first;
    milliseconds max;
  };
  /// Evenly distributed over [0, 1).
  using Random = std::function<double()>;

  Backoff(Limits limits, Random random) : limits_{limits}, random_{std::move(random)} {}

  /// The wait before the next attempt: anything between 0 and a ceiling that doubles each time.
  milliseconds next();
  /// To be called when a connection proved useful, not merely when it came about: a broker that
  /// accepts everybody and then throws them out would otherwise be called without a pause.
  void reset() noexcept { failures_ = 0; }

 private:
  Limits limits_;
  Random random_;
  unsigned failures_ = 0;
};

/// From the kernel's random source; no seed to be the same on all devices.
Backoff::Random system_random();

}  // namespace fieldpost
