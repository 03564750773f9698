// SPDX-License-Identifier: Apache-2.0
// Which UTC a boot-time stamp means: for each boot the distance between UTC and its boot-time clock,
// how it was learnt and how wrong it may be. A boot that never was synchronised is put between its
// neighbours (DESIGN section 8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "platform/clock.hpp"

namespace fieldpost {

struct BootRow {
  enum class Source : std::uint8_t {
    none,        ///< only the wall clock of an unsynchronised machine is known
    kernel,      ///< the kernel said that its clock was synchronised
  };
  BootId boot;
  nanoseconds offset{};       ///< UTC at boot time 0, since 1970
  nanoseconds error_bound{};  ///< meaningless without a source
  Source source = Source::none;
  BootTime seen{};            ///< the newest boot time met in this boot
  /// While the clock was known to be synchronised; before and after it ran as its crystal does.
  BootTime sure_from{};
  BootTime sure_until{};

  friend bool operator==(const BootRow&, const BootRow&) = default;
};

class BootTable {
 public:
  /// Boots that are remembered; the oldest go first. Forgetting one means that what it left in the
  /// outbox is sent without UTC. The newest that was synchronised stays: the floor rests on it.
  static constexpr std::size_t kBootsMax = 512;
  /// An offset is stored anew when it moved further than this (and than its own error): a clock that
  /// is disciplined moves all the time by microseconds. So every error has to be told larger by this.
  static constexpr milliseconds kStepMin{20};
  /// `seen` bounds where the next boot can lie; ten minutes are fine enough and spare the flash.
  static constexpr std::chrono::minutes kSeenStep{10};
  static constexpr int kDriftOneIn = Clock::kDriftOneIn;
  /// Said of a boot of which nothing is known but an unsynchronised clock and the floor: an agent is not older by more.
  static constexpr nanoseconds kUnknownError = std::chrono::days{3650};

  /// `lowest`: no UTC is earlier, whatever clocks say.
  explicit BootTable(UtcTime lowest = UtcTime{}) : lowest_{lowest} {}

  /// What the state held, oldest first, put before what was observed meanwhile.
  void load(std::span<const BootRow> rows);

  /// Takes note of both clocks at one instant. True if that is worth storing.
  bool observe(const BootId& boot, BootTime now, const UtcReading& utc);

  struct Utc {
    UtcTime time;
    nanoseconds error_bound{};
    bool trusted = false;
  };
  /// Nothing for a boot that is not known.
  std::optional<Utc> utc_of(const BootId& boot, BootTime time) const;

  /// The earliest UTC that the beginning of the newest boot can have had: what was last sure, and the time
  /// that boots took since. Nothing if no boot ever was synchronised.
  std::optional<nanoseconds> floor() const;

  std::span<const BootRow> rows() const noexcept { return rows_; }

 private:
  Utc between_neighbours(std::size_t place, BootTime time) const;
  std::optional<UtcTime> earliest_begin(std::size_t place) const;
  void forget_oldest();

  UtcTime lowest_;
  bool ran_free_ = false;      ///< the newest boot was synchronised once, and at the last look it was not
  std::vector<BootRow> rows_;  ///< in the order the boots happened
};

}  // namespace fieldpost
