// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/damage_campaign.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <utility>

#include "platform/crc32c.hpp"
#include "tests/campaigns/damage_files.hpp"
#include "tests/campaigns/damage_ledger.hpp"
#include "tests/campaigns/damage_life.hpp"
#include "tests/campaigns/segment_places.hpp"
#include "tests/support/crash_file_layer.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr const char* kFirstBoot = "00000000-0000-4000-8000-000000000001";
constexpr const char* kSecondBoot = "00000000-0000-4000-8000-000000000002";
/// The store sets a database aside after six failures in a row; one more database after that, and one to
/// spare.
constexpr int kAttemptsMax = 14;
constexpr int kRounds = 8;
/// Calls of the file layer that a start may take: it reads no more than all files, twice, by pages of 1 KiB.
constexpr std::uint64_t kCallsMax = 5'000;

std::uint64_t cpu_now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

class Campaign {
 public:
  explicit Campaign(const DamageOptions& options) : options_{options} {
    DamageLedger::add_series(table_);
    store_options_.directory = CrashFileLayer::kDirectory;
    store_options_.quota_bytes = 512 << 10;
    store_options_.age_max = seconds{0};
    make_files();
    if (options.broken == DamageBreak::no_crc) segments_ = before_.places_in(files_.at("outbox.db"));
  }
  ~Campaign() { CrashFileLayer::mount(nullptr, 0); }
  Campaign(const Campaign&) = delete;
  Campaign& operator=(const Campaign&) = delete;

  DamageFigures run() {
    for (const auto& [name, content] : files_) figures_.bytes += content.size();
    const DamagePlaces places{files_, options_.seed};
    std::mt19937_64 chance{options_.seed};
    std::vector<std::uint64_t> wanted(places.size());
    for (std::uint64_t i = 0; i < wanted.size(); ++i) wanted[i] = i;
    if (options_.count > 0 && options_.count < wanted.size()) {
      for (std::uint64_t i = 0; i < options_.count; ++i)
        std::swap(wanted[i], wanted[i + chance() % (wanted.size() - i)]);
      wanted.resize(options_.count);
    }
    for (std::uint64_t i = options_.part;
         i < wanted.size() && figures_.violations.size() < options_.violations_max; i += options_.parts) {
      const Damage damage = places.at(wanted[i]);
      const std::string name = damage.name();
      if (!options_.only.empty() && !name.starts_with(options_.only)) continue;
      options_.told.trial(name, i / options_.parts, wanted.size() / options_.parts);
      trial(damage);
    }
    return std::move(figures_);
  }

 private:
  /// Two boots of work in all lanes, with acknowledgements and gaps told and untold; the second ends as by
  /// SIGKILL.
  void make_files() {
    CrashDisk disk;
    CrashFileLayer::mount(&disk, 1);
    {
      DamageLife life{store_options_, table_, before_, kFirstBoot};
      for (int i = 0; i < 30; ++i) work(life, i == 12 || i == 20);
      life.close();
    }
    before_.forget_handed_out();
    DamageLife life{store_options_, table_, before_, kSecondBoot};
    life.commit(1);
    // The log of four rounds is not yet written back; that of seven was, and begins anew with the next
    // commit: pages of the log that are older than those below it.
    const int rounds = options_.is_written_back ? 7 : 4;
    for (int i = 0; i < rounds; ++i) {
      if (i == rounds - 2) old_marks_ = copy_of(disk, "outbox.marks");
      work(life, i == 0);
    }
    for (const std::string& name : disk.names()) files_[name] = copy_of(disk, name);
    CrashFileLayer::mount(nullptr, 0);
    before_.forget_handed_out();
    const SegmentPlaces places{files_.at("outbox.db"), files_["outbox.db-wal"]};
    for (const auto& [name, bytes] : before_.waiting()) {
      if (auto place = places.of(bytes)) places_.emplace_back(name, std::move(*place));
    }
    if (options_.broken == DamageBreak::no_marks) files_["outbox.marks"] = old_marks_;
  }

  static void work(DamageLife& life, bool gives_up) {
    life.add_samples(Lane::live, 40);
    life.add_samples(Lane::bulk, 70);
    life.add_samples(Lane::alert, 3);
    life.add_samples(Lane::event, 6);
    life.commit(1);
    life.pull();
    if (!gives_up) return;
    life.give_up(Lane::bulk);
    life.acknowledge(3);
    life.commit(1);
  }

  static std::vector<std::byte> copy_of(const CrashDisk& disk, std::string_view name) {
    const auto content = disk.content(disk.find(name));
    return {content.begin(), content.end()};
  }

  void trial(const Damage& damage) {
    DamageLedger ledger = before_;
    if (damage.is_of_a_file()) {
      const TemporaryDirectory directory;
      StoreOptions options = store_options_;
      options.directory = directory.file("state");
      CrashFileLayer::mount(nullptr, 0);
      damage.lay_out(files_, options.directory);
      live(options, ledger, damage);
    } else {
      CrashDisk disk;
      for (const auto& [name, content] : files_) {
        if (name != damage.file) disk.overwrite(name, content);
      }
      auto damaged = damage.applied_to(files_.at(damage.file));
      if (options_.broken == DamageBreak::no_crc && damage.file == "outbox.db") make_crc_right(damaged);
      disk.overwrite(damage.file, std::move(damaged));
      CrashFileLayer::mount(&disk, 2);
      mounted_ = &disk;
      live(store_options_, ledger, damage);
      CrashFileLayer::mount(nullptr, 0);
    }
    for (const std::string& what : ledger.violations()) violation(damage, what);
    ++figures_.trials;
  }

  void make_crc_right(std::vector<std::byte>& content) const {
    constexpr std::size_t kCrcAt = 8;
    for (const auto& [at, size] : segments_) {
      if (at + size > content.size()) continue;
      const auto segment = std::span{content}.subspan(at, size);
      const std::uint32_t crc = crc32c(segment.subspan(kCrcAt + 4), crc32c(segment.first(kCrcAt)));
      for (std::size_t i = 0; i < 4; ++i) segment[kCrcAt + i] = static_cast<std::byte>(crc >> (8 * i));
    }
  }

  void live(const StoreOptions& options, DamageLedger& ledger, const Damage& damage) {
    const std::uint64_t old_samples = ledger.samples();
    const std::uint64_t calls = CrashFileLayer::calls();
    const std::uint64_t cpu = cpu_now_us();
    DamageLife life{options, table_, ledger, kSecondBoot};
    const int attempts = life.commit(kAttemptsMax);
    if (attempts == 0) return violation(damage, "the store does not start: " + life.latest_error());
    life.pull();
    if (options_.broken == DamageBreak::half_salvaged && !damage.is_of_a_file()) halve_set_aside();
    figures_.cpu_max_us = std::max(figures_.cpu_max_us, cpu_now_us() - cpu);
    const std::uint64_t called = CrashFileLayer::calls() - calls;
    figures_.calls_max = std::max(figures_.calls_max, called);
    if (called > kCallsMax)
      violation(damage, "the start took " + std::to_string(called) + " calls of the file layer");
    figures_.attempts_max = std::max(figures_.attempts_max, static_cast<std::uint64_t>(attempts));

    bool is_drained = false;
    for (int round = 0; round < kRounds && !is_drained; ++round) {
      if (round < 2) {
        for (const Lane lane : kLanes) life.add_samples(lane, 5);
      }
      life.acknowledge();
      if (life.commit(kAttemptsMax) == 0)
        return violation(damage, "the store takes nothing more: " + life.latest_error());
      is_drained = life.pull() == 0 && life.unacknowledged() == 0 && round >= 2 && !life.is_salvaging();
    }
    if (!is_drained) violation(damage, "the store is never empty");
    for (std::uint64_t i = 0; i < ledger.samples(); ++i) {
      if (i < old_samples) {
        figures_.handed_out += ledger.was_handed_out(i) ? 1U : 0U;
      } else if (!ledger.was_handed_out(i)) {
        violation(damage, "a reading taken after the damage is not handed out");
        break;
      }
    }
    if (life.outboxes_set_aside() > 0 && damage.file == "outbox.db" && !damage.is_of_a_file()) demand_whole(ledger, damage);
    figures_.salvaged += life.salvaged();
    figures_.set_aside += life.set_aside();
    figures_.new_epochs += life.new_epochs();
    settle(ledger.balance(options_.broken != DamageBreak::no_gaps), damage);
  }

  void halve_set_aside() const {
    CrashDisk& disk = *mounted_;
    for (const std::string& name : disk.names()) {
      if (!name.starts_with("outbox.db.damaged-") || name.ends_with("-wal")) continue;
      auto content = copy_of(disk, name);
      content.resize(content.size() / 2);
      disk.overwrite(name, std::move(content));
    }
  }

  /// Of an outbox that was set aside all comes back that the damage did not touch. One byte may also be wrong in what a page says
  /// of the places of its cells.
  void demand_whole(const DamageLedger& ledger, const Damage& damage) {
    const auto& before = files_.at("outbox.db");
    const auto after = damage.applied_to(before);
    const auto is_whole = [&](const SegmentPlaces::Ranges& ranges) {
      return std::all_of(ranges.begin(), ranges.end(), [&](const auto& range) {
        const std::size_t end = std::min(range.first + range.second, before.size());
        return end <= after.size() && std::equal(&before[range.first], before.data() + end, &after[range.first]);
      });
    };
    const bool is_byte = damage.kind == Damage::Kind::invert || damage.kind == Damage::Kind::bit;
    for (const auto& [name, place] : places_) {
      if (ledger.is_settled(name) || !is_whole(place.own) || !(is_byte || is_whole(place.pointers))) continue;
      return violation(damage, "seq " + std::to_string(name.second) + " is whole and does not come back");
    }
  }

  void settle(const DamageLedger::Balance& balance, const Damage& damage) {
    figures_.lost += balance.lost;
    figures_.untold += balance.untold;
    figures_.reports_lost += balance.reports_lost;
    figures_.unnamed += balance.unnamed;
    figures_.miscounted += balance.miscounted;
    figures_.returned += balance.returned;
    if (balance.untold + balance.reports_lost == 0) return;
    auto& place = figures_.untold_by_place[damage.kind_name() + " " + damage.file];
    if (place.trials++ == 0) place.first = damage.name();
    place.readings += balance.untold + balance.reports_lost;
    if (balance.untold > 0)
      violation(damage, std::to_string(balance.untold) + " of " + std::to_string(balance.lost) +
                            " lost readings are not told");
  }

  void violation(const Damage& damage, const std::string& what) {
    if (figures_.violations.size() < options_.violations_max)
      options_.told.violation(figures_.violations.emplace_back(damage.name() + ": " + what));
  }

  const DamageOptions& options_;
  DamageFigures figures_;
  SeriesTable table_;
  StoreOptions store_options_;
  DamageLedger before_;
  DamageFiles files_;
  std::vector<std::byte> old_marks_;
  CrashDisk* mounted_ = nullptr;  ///< of the trial under way
  std::vector<std::pair<std::size_t, std::size_t>> segments_;
  std::vector<std::pair<DamageLedger::Name, SegmentPlaces::Place>> places_;  ///< of what waits
};

}  // namespace

DamageFigures run_damage(const DamageOptions& options) { return Campaign{options}.run(); }

}  // namespace fieldpost
