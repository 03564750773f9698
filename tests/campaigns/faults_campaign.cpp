// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/faults_campaign.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "tests/campaigns/damage_ledger.hpp"
#include "tests/campaigns/damage_life.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/crash_file_layer.hpp"

namespace fieldpost {
namespace {

using Call = CrashFileLayer::Call;
using Extent = CrashFileLayer::Fault::Extent;

constexpr const char* kBoot = "00000000-0000-4000-8000-000000000001";
constexpr int kSteps = 7;
constexpr int kStepsAfterRestart = 3;
/// The store sets a database aside after six failures in a row, gives a body up after three; both, twice.
constexpr int kAttemptsMax = 20;

enum class What : std::uint8_t { call, c_allocation, allocation };

struct Trial {
  What what{};
  std::uint64_t after = 0;
  int error = 0;
  Extent extent{};
  bool is_cut = false;  ///< the power goes after the step that met the fault
};

std::string name_of(const Trial& trial) {
  const std::string number = ":" + std::to_string(trial.after + 1);
  if (trial.what == What::allocation) return "new" + number;
  const char* const extent = trial.extent == Extent::once       ? ":once"
                             : trial.extent == Extent::for_ever ? ":for-ever"
                                                                : ":its-kind";
  const std::string end = std::string{extent} + (trial.is_cut ? ":cut" : "");
  if (trial.what == What::c_allocation) return "malloc" + number + end;
  return "call" + number + ":" +
         (trial.error == CrashFileLayer::kShort ? "SHORT" : ::strerrorname_np(trial.error)) + end;
}

class Campaign {
 public:
  explicit Campaign(const FaultsOptions& options) : options_{options} {
    DamageLife::around_the_store = AllocationFaults::watch;
    DamageLedger::add_series(table_);
    store_options_.directory = CrashFileLayer::kDirectory;
    store_options_.quota_bytes = 256 << 10;
    store_options_.age_max = seconds{0};
    CrashFileLayer::mount(&before_disk_, 1);
    DamageLife life{store_options_, table_, before_, kBoot};
    for (int i = 0; i < 4; ++i) step(life, before_);
    CrashFileLayer::mount(nullptr, 0);
    before_.forget_handed_out();
    before_disk_ = as_found(before_disk_);
  }
  ~Campaign() { CrashFileLayer::mount(nullptr, 0); }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  FaultsFigures run() {
    std::vector<Trial> trials = all();
    std::mt19937_64 chance{options_.seed};
    if (options_.count > 0 && options_.count < trials.size()) {
      for (std::uint64_t i = 0; i < options_.count; ++i)
        std::swap(trials[i], trials[i + chance() % (trials.size() - i)]);
      trials.resize(options_.count);
    }
    for (std::uint64_t i = options_.part;
         i < trials.size() && figures_.violations.size() < options_.violations_max; i += options_.parts) {
      name_ = name_of(trials[i]);
      if (!name_.starts_with(options_.only)) continue;
      options_.told.trial(name_, i / options_.parts, trials.size() / options_.parts);
      if (trials[i].what == What::allocation) {
        die(trials[i]);
      } else {
        live(trials[i]);
      }
      ++figures_.trials;
    }
    return std::move(figures_);
  }

 private:
  /// The path without a fault says which calls and allocations there are.
  std::vector<Trial> all() {
    std::vector<Call> calls;
    DamageLedger ledger = before_;
    CrashDisk disk = before_disk_;
    CrashFileLayer::mount(&disk, 2);
    const std::uint64_t c_allocations = AllocationFaults::c_allocations();
    const std::uint64_t allocations = AllocationFaults::allocations();
    CrashFileLayer::record(&calls);
    walk(ledger, [] { return false; });
    CrashFileLayer::record(nullptr);
    figures_.calls = calls.size();
    figures_.c_allocations = AllocationFaults::c_allocations() - c_allocations;
    figures_.allocations = AllocationFaults::allocations() - allocations;
    settle(ledger, true);

    std::vector<Trial> trials;
    for (const Extent extent : {Extent::once, Extent::for_ever, Extent::for_ever_of_its_kind}) {
      for (const bool is_cut : {false, true}) {
        for (std::uint64_t i = 0; i < calls.size(); ++i) {
          for (const int error : CrashFileLayer::errors_of(calls[i])) {
            // Signals do not come for ever, and who is interrupted tries again for ever.
            if (error != EINTR || extent == Extent::once)
              trials.push_back({What::call, i, error, extent, is_cut});
          }
        }
        for (std::uint64_t i = 0; i < figures_.c_allocations && extent != Extent::for_ever_of_its_kind; ++i) {
          trials.push_back({What::c_allocation, i, 0, extent, is_cut});
        }
      }
    }
    for (std::uint64_t i = 0; i < figures_.allocations; ++i)
      trials.push_back({What::allocation, i, 0, Extent::once, false});
    return trials;
  }

  void step(DamageLife& life, DamageLedger& ledger) {
    life.add_samples(Lane::live, 20);
    life.add_samples(Lane::bulk, 90);
    life.add_samples(Lane::alert, 2);
    life.add_samples(Lane::event, 5);
    for (int attempt = 0; attempt < 2; ++attempt) {
      const bool is_done = life.try_commit().has_value();
      if (is_done || options_.broken == FaultsBreak::early_promise) ledger.promise();
      if (is_done) break;
      ++figures_.failed_commits;
      if (options_.broken == FaultsBreak::forgetful) life.forget_work();
    }
    life.pull();
    life.acknowledge(2);
  }

  /// From a reading to its acknowledgement, over the log's end, and over a restart. Ends early when
  /// `is_over`.
  template <typename IsOver>
  void walk(DamageLedger& ledger, IsOver is_over) {
    {
      DamageLife life{store_options_, table_, ledger, kBoot};
      for (int i = 0; i < kSteps && !is_over(); ++i) step(life, ledger);
      if (is_over()) return figures_of(life);
      for (int attempt = 0; attempt < 3 && !life.try_commit(); ++attempt) ++figures_.failed_commits;
      life.close();
      figures_of(life);
    }
    ledger.excuse_unpromised();  // an orderly end tries three times
    ledger.forget_handed_out();
    DamageLife life{store_options_, table_, ledger, kBoot};
    for (int i = 0; i < kStepsAfterRestart && !is_over(); ++i) step(life, ledger);
    figures_of(life);
    if (!is_over()) finish(life, ledger);
  }

  void figures_of(const DamageLife& life) { figures_.set_aside += life.set_aside(); }

  /// The fault is over: what waited in memory becomes durable, all is handed out and acknowledged.
  void finish(DamageLife& life, DamageLedger& ledger) {
    CrashFileLayer::heal();
    AllocationFaults::heal();
    for (const Lane lane : kLanes) life.add_samples(lane, 2);
    const int attempts = life.commit(kAttemptsMax);
    if (attempts == 0) return violation("the store does not go on after the fault: " + life.latest_error());
    ledger.promise();
    figures_.attempts_max = std::max(figures_.attempts_max, static_cast<std::uint64_t>(attempts));
    bool is_drained = false;
    for (int round = 0; round < kAttemptsMax && !is_drained; ++round) {
      life.pull();
      is_drained = life.unacknowledged() == 0 && round > 3;
      life.acknowledge();
      if (life.commit(kAttemptsMax) == 0)
        return violation("the store does not go on after the fault: " + life.latest_error());
    }
    if (!is_drained) violation("the store is never empty");
    figures_of(life);
  }

  void live(const Trial& trial) {
    const std::uint64_t set_aside = figures_.set_aside;
    DamageLedger ledger = before_;
    auto disk = std::make_unique<CrashDisk>(before_disk_);
    CrashFileLayer::mount(disk.get(), 2);
    const std::uint64_t met_after =
        (trial.what == What::call ? CrashFileLayer::calls() : AllocationFaults::c_allocations()) +
        trial.after;
    if (trial.what == What::call) {
      CrashFileLayer::fail({.after = trial.after, .error = trial.error, .extent = trial.extent});
    } else {
      AllocationFaults::fail_c_after(trial.after, trial.extent != Extent::once);
    }
    walk(ledger, [&trial, met_after] {
      return trial.is_cut && (trial.what == What::call ? CrashFileLayer::calls()
                                                       : AllocationFaults::c_allocations()) > met_after;
    });
    CrashFileLayer::heal();
    AllocationFaults::heal();
    if (trial.is_cut) {
      CrashDisk left = disk->after_power_cut(trial.after);
      survive(left, ledger);
      ++figures_.cut;
    }
    settle(ledger, trial.extent == Extent::once);
    if (trial.extent == Extent::once && figures_.set_aside > set_aside)
      violation("a database was set aside for one error");
    CrashFileLayer::mount(nullptr, 0);
  }

  /// Another process, on what the one before it left.
  void survive(CrashDisk& disk, DamageLedger& ledger) {
    ledger.excuse_unpromised();
    ledger.forget_handed_out();
    CrashFileLayer::mount(&disk, 3);
    DamageLife life{store_options_, table_, ledger, kBoot};
    finish(life, ledger);
  }

  void settle(const DamageLedger& ledger, bool may_not_lose) {
    for (const std::string& what : ledger.violations()) violation(what);
    const DamageLedger::Balance balance = ledger.balance();
    if (balance.untold > 0) violation(std::to_string(balance.untold) + " readings are lost and not told");
    if (may_not_lose && balance.lost > 0) violation(std::to_string(balance.lost) + " readings are lost");
    figures_.lost_and_told += balance.lost - balance.untold;
    figures_.samples += ledger.samples();
  }

  /// In a process of its own, which ends in the midst of operator new, as the agent does; what it leaves is
  /// looked at there.
  void die(const Trial& trial) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) return violation("no pipe");
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      dying_ = this;
      dying_pipe_ = pipe[1];
      dying_ledger_ = before_;
      dying_disk_ = before_disk_;
      figures_.violations.clear();
      CrashFileLayer::mount(&dying_disk_, 2);
      AllocationFaults::die_after(trial.after, [] { dying_->look_at_what_is_left(); });
      walk(dying_ledger_, [] { return false; });
      ::_exit(0);  // the path was shorter this time
    }
    ::close(pipe[1]);
    std::string said;
    std::array<char, 512> piece{};
    for (ssize_t count = 0; (count = ::read(pipe[0], piece.data(), piece.size())) > 0;)
      said.append(piece.data(), static_cast<std::size_t>(count));
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!said.empty()) violation(said);
    if (said.empty() && status != 0) violation("its end ended with status " + std::to_string(status));
    ++figures_.deaths;
  }

  void look_at_what_is_left() {
    AllocationFaults::heal();
    CrashDisk left = as_found(dying_disk_);
    survive(left, dying_ledger_);
    settle(dying_ledger_, true);
    for (const std::string& what : figures_.violations)
      static_cast<void>(!::write(dying_pipe_, what.data(), what.size()));
    ::_exit(0);
  }

  /// What another process finds after this one was killed: all that was written.
  static CrashDisk as_found(const CrashDisk& disk) {
    CrashDisk found;
    for (const std::string& name : disk.names()) {
      const auto content = disk.content(disk.find(name));
      found.overwrite(name, {content.begin(), content.end()});
    }
    return found;
  }

  void violation(const std::string& what) {
    if (figures_.violations.size() >= options_.violations_max) return;
    figures_.violations.push_back(name_ + ": " + what);
    // What a child finds it tells its parent.
    if (dying_ == nullptr) options_.told.violation(figures_.violations.back());
  }

  const FaultsOptions& options_;
  FaultsFigures figures_;
  SeriesTable table_;
  StoreOptions store_options_;
  DamageLedger before_;
  CrashDisk before_disk_;
  std::string name_ = "no fault";
  static Campaign* dying_;
  int dying_pipe_ = -1;
  DamageLedger dying_ledger_;
  CrashDisk dying_disk_;
};

Campaign* Campaign::dying_ = nullptr;

}  // namespace

FaultsFigures run_faults(const FaultsOptions& options) { return Campaign{options}.run(); }

}  // namespace fieldpost
