// SPDX-License-Identifier: Apache-2.0
// One process's life with a store, as the agent lives it: work that failed is tried again, what is handed out
// is acknowledged. Under the campaigns damage and faults.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/store/store_disk.hpp"
#include "tests/campaigns/damage_ledger.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {

class DamageLife {
 public:
  /// All are lent and outlive it.
  DamageLife(const StoreOptions& options, const SeriesTable& table, DamageLedger& ledger, BootId boot);

  void add_samples(Lane lane, std::size_t count);
  /// Tries until it is done; how many attempts that took, or 0: not within `attempts_max`.
  int commit(int attempts_max);
  /// One attempt. What fails stays to be tried again.
  Result<void> try_commit();
  /// Pulls every lane beyond what was pulled before; how many segments came. After a failure a commit must
  /// come first.
  std::size_t pull();
  /// Acknowledges each `one_in`-th of what was pulled and not yet acknowledged, with the next commit.
  void acknowledge(std::size_t one_in = 1);
  /// Gives up the oldest of `lane` that was pulled and not yet acknowledged, with the next commit.
  void give_up(Lane lane);
  std::size_t unacknowledged() const noexcept { return pulled_.size(); }
  /// An outbox that was set aside has more to give; each commit is followed by one step.
  bool is_salvaging() const noexcept { return is_salvaging_; }

  /// What was not committed is gone, as if nobody tried again.
  void forget_work() { work_ = DiskWork{}; }
  void close();
  const BootId& boot() const noexcept { return boot_; }

  std::uint64_t set_aside() const noexcept { return set_aside_; }
  std::uint64_t outboxes_set_aside() const noexcept { return outboxes_set_aside_; }
  std::uint64_t salvaged() const noexcept { return salvaged_; }
  std::uint64_t new_epochs() const noexcept { return new_epochs_; }
  const std::string& latest_error() const noexcept { return latest_error_; }

  /// Called with true before the store is, and with false behind it, so that a fault meets nothing of ours.
  static void (*around_the_store)(bool);

 private:
  void salvage();

  ManualClock clock_;
  Log log_{clock_, LogLevel::error, [](LogLevel, std::string_view) {}};
  DamageLedger& ledger_;
  BootId boot_;
  std::unique_ptr<StoreDisk> store_;
  DiskWork work_;
  bool is_new_ = true;  ///< it tells the store its boot with the first commit
  std::array<std::int64_t, kLanes.size()> after_{};
  struct Pulled {
    std::int64_t row = 0;
    SegmentHeader header;
  };
  std::vector<Pulled> pulled_;
  std::uint64_t set_aside_ = 0;
  std::uint64_t outboxes_set_aside_ = 0;
  std::uint64_t new_epochs_ = 0;
  bool is_salvaging_ = false;
  std::uint64_t salvaged_ = 0;
  std::string latest_error_;
};

}  // namespace fieldpost
