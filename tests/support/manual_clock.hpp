// SPDX-License-Identifier: Apache-2.0
// A clock that stands still until a test moves it. Workers read it too, as they read the real one.
#pragma once

#include <mutex>
#include <utility>

#include "platform/clock.hpp"

namespace fieldpost {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(UtcTime lowest = UtcTime{}) : Clock{lowest} {}
  BootTime now() const override {
    const std::lock_guard lock{mutex_};
    return now_;
  }
  UtcReading utc() const override {
    const std::lock_guard lock{mutex_};
    UtcReading reading = utc_;
    reading.at = now_;
    return reading;
  }
  const BootId& boot_id() const override { return boot_id_; }

  /// Moves boot time and UTC forward together, as an undisturbed machine does.
  void advance(nanoseconds by) {
    const std::lock_guard lock{mutex_};
    now_ += by;
    utc_.time += by;
  }

  /// Moves both so that boot time is `now`.
  void set_now(BootTime now) { advance(now - this->now()); }

  /// A step of the wall clock, or the loss of synchronisation; boot time stays.
  void set_utc(const UtcReading& utc) {
    const std::lock_guard lock{mutex_};
    utc_ = utc;
  }

  /// Another boot of the same machine; while no worker runs.
  void set_boot_id(BootId boot_id) { boot_id_ = std::move(boot_id); }

 private:
  mutable std::mutex mutex_;  // guards now_ and utc_
  BootTime now_{seconds{1000}};
  // 2026-01-01T00:00:00Z, synchronised to a millisecond.
  UtcReading utc_{UtcTime{seconds{1'767'225'600}}, true, milliseconds{1}};
  BootId boot_id_ = "00000000-0000-4000-8000-000000000001";
};

}  // namespace fieldpost
