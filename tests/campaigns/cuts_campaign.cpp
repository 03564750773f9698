// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/cuts_campaign.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include "agent/store/store_disk.hpp"
#include "platform/sqlite.hpp"
#include "tests/campaigns/cuts_ledger.hpp"
#include "tests/support/crash_file_layer.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

constexpr const char* kBoot = "00000000-0000-4000-8000-";

/// Marks that come one commit late: written after the number they are to guard was used.
class LateMarks final : public MarkStorage {
 public:
  explicit LateMarks(const std::string& path) : file_{make_mark_file(path)} {}
  Result<std::optional<Marks>> read() override { return file_->read(); }
  Result<void> write(const Marks& marks) override {
    const Marks now = std::exchange(next_, marks);
    return file_->write(now.epoch == marks.epoch ? now : marks);
  }

 private:
  std::unique_ptr<MarkStorage> file_;
  Marks next_;
};

/// Marks that know nothing of what was handed out before this process.
class ForgetfulMarks final : public MarkStorage {
 public:
  explicit ForgetfulMarks(const std::string& path) : file_{make_mark_file(path)} {}
  Result<std::optional<Marks>> read() override {
    auto marks = file_->read();
    if (marks && *marks) (*marks)->handed_out.emplace();
    return marks;
  }
  Result<void> write(const Marks& marks) override { return file_->write(marks); }

 private:
  std::unique_ptr<MarkStorage> file_;
};

/// One disk, its history, and the store that lives on it.
class Chain {
 public:
  Chain(const CutsOptions& options, CutsFigures& figures, std::uint64_t seed)
      : options_{options}, figures_{figures}, chance_{seed}, seed_{seed}, ledger_{figures, options} {
    for (std::size_t i = 0; i < CutsLedger::kSeries; ++i) {
      Series series;
      series.name = CutsLedger::series_name(i);
      series.labels = {{"device", "eth0"}};
      series.kind = SeriesKind::counter;
      static_cast<void>(table_.add(std::move(series)));
    }
    store_options_.directory = CrashFileLayer::kDirectory;
    has_pressure_ = below(options.pressure_one_in) == 0;
    is_damaged_ = options.damages && !has_pressure_;
    store_options_.quota_bytes = has_pressure_ ? OutboxDatabase::kQuotaBytesMin : 8 << 20;
    store_options_.message_bytes_max = std::array{4'000U, 20'000U, 120'000U}[below(3)];
    store_options_.merge_segments_min = 4;
    store_options_.thin_window = milliseconds{below(3) == 0 ? 0 : 500};
    store_options_.age_max = seconds{0};
    if (options.lies_per_thousand > 0) ledger_.be_lenient(true);
    if (is_damaged_) ledger_.be_lenient(false);
    disk_.lie(options.broken == CutsBreak::no_sync ? 1000 : options.lies_per_thousand, chance_());
  }

  ~Chain() {
    store_.reset();
    figures_.lies += disk_.lies();
    CrashFileLayer::mount(nullptr, 0);
  }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  void run(std::uint64_t lives) {
    mount(disk_);
    for (life_ = 0; life_ < lives && figures_.cuts < options_.cuts && !ledger_.failed(); ++life_) {
      ledger_.set_context("chain " + std::to_string(seed_) + " life " + std::to_string(life_));
      live();
      ++figures_.lives;
      if (!cut()) return;
    }
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return chance_() % limit; }

  BootId boot() const { return kBoot + std::to_string(100'000'000'000 + boot_); }
  std::vector<BootRow> boots() {
    return {{.boot = boot(), .offset = seconds{static_cast<std::int64_t>(below(1'000'000))}, .error_bound = seconds{1},
             .source = BootRow::Source::kernel, .seen = BootTime{seconds{static_cast<std::int64_t>(below(1'000))}}}};
  }

  void open() {
    StoreGround ground;
    if (options_.broken == CutsBreak::late_marks) {
      ground.marks = [](const std::string& path) { return std::make_unique<LateMarks>(path); };
    }
    if (options_.broken == CutsBreak::forgets_handed_out) {
      ground.marks = [](const std::string& path) { return std::make_unique<ForgetfulMarks>(path); };
    }
    store_ = std::make_unique<StoreDisk>(store_options_, std::move(ground), log_, table_);
    is_new_ = true;
  }

  /// Work until the power goes.
  void live() {
    // Most cuts fall into the first commits after a start, as many into the later ones.
    disk_.cut_power_after(below(4) == 0 ? 1 + below(30) : 1 + below(has_pressure_ ? 2'000 : 250));
    const std::uint64_t steps = 1 + below(12);
    if (!store_ && !restart()) return;
    for (std::uint64_t step = 0; step < steps && !disk_.is_off() && !ledger_.failed(); ++step) {
      add_samples();
      const std::uint64_t what = below(20);
      if (what == 0) {
        if (!restart()) return;
      } else if (what <= 6 && is_damaged_) {
        if (!damage()) return;
      } else if (!commit() || !tidy() || !hand_out()) {
        return;
      }
    }
  }

  /// As sync does: from the oldest on, lane by lane. What it has it gives back only when a connection breaks.
  bool hand_out() {
    if (below(3) != 0) return true;
    const Lane lane = kLanes[below(kLanes.size())];
    if (below(12) == 0) {
      store_->release(lane, {});
      forget_handed(lane);
      return true;
    }
    std::int64_t after = 0;
    for (const auto& segment : handed_) {
      if (segment.header.lane == lane) after = std::max(after, segment.row);
    }
    std::array<std::uint64_t, kLanes.size()> dropped{};
    const auto rows = store_->fetch(lane, after, 1 + below(8), 1 + below(100'000), dropped);
    if (disk_.is_off()) return false;  // before anybody had them
    for (const OutboxRow& row : rows) {
      handed_.push_back(ledger_.read(row));
      ledger_.hand_out(handed_.back());
    }
    return true;
  }

  void forget_handed(Lane lane) {
    std::erase_if(handed_, [lane](const auto& segment) { return segment.header.lane == lane; });
  }

  bool tidy() {
    if (below(2) != 0) return true;
    const auto merged = store_->tidy();
    if (disk_.is_off()) return false;
    if (!merged) return true;
    figures_.merged += merged->merged_segments;
    found_ = look(*store_);
    ledger_.settle_merge(found_);
    return true;
  }

  /// In order, or killed: then the marks do not say what was handed out, and nobody wrote them once more.
  void end_process() {
    if (!store_) return;
    if (below(2) == 0) {
      store_->end();
    } else {
      store_->close();
    }
  }

  bool restart() {
    end_process();
    store_.reset();
    found_ = {};  // a new process knows of no segment yet
    handed_.clear();
    open();
    return commit();
  }

  /// The database gets a bad byte, or an older copy of it is put back; the store is not running meanwhile.
  bool damage() {
    end_process();
    store_.reset();
    found_ = {};
    handed_.clear();
    if (disk_.is_off()) return false;
    const std::uint64_t what = below(4);
    if (what == 0) return image();
    ledger_.expect_told(epoch_);
    if (copy_ && below(2) == 0) {
      // Whole, and with no log of another day left beside it: of a mixture one page is of today and the next of last week, and
      // none of them says so.
      disk_.cut_power_after(0);
      disk_.sync_directory();
      const CrashDisk::Inode file = disk_.find("outbox.db");
      disk_.resize(file, 0);
      disk_.write(file, 0, *copy_);
      disk_.sync(file);
      copy_.reset();
      disk_.cut_power_after(1 + below(250));
    } else {
      const auto content = disk_.content(disk_.find("outbox.db"));
      copy_ = std::vector<std::byte>{content.begin(), content.end()};
      if (below(2) == 0) disk_.damage("outbox.db", below(100), static_cast<std::byte>(chance_()));
    }
    open();
    return commit();
  }

  /// An image of the whole disk is made, or put back as by who writes an SD card anew: all witnesses are of then, and only
  /// the machine's boot is another.
  bool image() {
    if (!image_) {
      image_.emplace();
      for (const std::string& name : disk_.names()) {
        const auto content = disk_.content(disk_.find(name));
        image_->emplace(name, std::vector<std::byte>{content.begin(), content.end()});
      }
    } else {
      disk_.cut_power_after(0);  // the machine is off
      for (const std::string& name : disk_.names()) disk_.remove(name);
      for (const auto& [name, content] : *image_) {
        disk_.create(name);
        disk_.write(disk_.find(name), 0, content);
        disk_.sync(disk_.find(name));
      }
      disk_.sync_directory();
      disk_.cut_power_after(1 + below(250));
      image_.reset();
      ++boot_;
      ledger_.expect_told(0);  // nobody is left who knows
    }
    if (disk_.is_off()) return false;
    open();
    return commit();
  }

  void add_samples() {
    const std::uint64_t count = has_pressure_ ? 200 + below(1'500) : below(60);
    const Lane lane = kLanes[below(kLanes.size())];
    for (std::uint64_t i = 0; i < count; ++i) {
      const Lane to = below(10) == 0 ? Lane::bulk : lane;
      work_.batches[index(to)].add(ledger_.make_sample(to, has_pressure_));
      batch_.push_back(next_sample_++);
    }
  }

  /// False when the power went meanwhile.
  bool commit() {
    std::vector<CutsLedger::Found::Segment> acknowledged;
    choose_acknowledged(acknowledged);
    if (std::exchange(is_new_, false) || below(8) == 0) {
      work_.boots = boots();
    }
    work_.moment = {boot(), BootTime{seconds{2'000}}};
    work_.utc = UtcTime{seconds{1'800'000'000 + static_cast<std::int64_t>(next_sample_)}};
    ledger_.begin(std::exchange(batch_, {}), std::move(acknowledged));
    if (options_.broken == CutsBreak::early_promise) ledger_.promise_early();
    DiskWork work = std::exchange(work_, DiskWork{});
    store_->commit(work);
    if (disk_.is_off()) return false;
    if (!work.result) {
      ledger_.violation("a commit failed on a healthy disk: " + work.result.error().sentence());
      return false;
    }
    count(work);
    if (!salvage(*store_)) return false;
    found_ = look(*store_);
    ledger_.settle(found_);
    ledger_.check_held(found_, handed_);
    return true;
  }

  /// Only then it is to be seen what came back, and gaps tell the rest. False when the power went meanwhile.
  bool salvage(StoreDisk& store) {
    constexpr int kStepsMax = 1'000;
    for (int step = 0; store.figures().is_salvaging; ++step) {
      if (step == kStepsMax) ledger_.violation("salvage never ends");
      static_cast<void>(store.tidy());
      if (mounted_->is_off() || step == kStepsMax) return false;
      if (!store.figures().is_salvaging) figures_.salvaged += store.figures().salvaged_segments;
    }
    return true;
  }

  void choose_acknowledged(std::vector<CutsLedger::Found::Segment>& acknowledged) {
    if (handed_.empty() || below(has_pressure_ ? 8 : 2) != 0) return;
    const std::uint64_t share = 1 + below(has_pressure_ ? 1 : 4);
    for (const auto& segment : std::exchange(handed_, {})) {
      if (below(4) >= share) {
        handed_.push_back(segment);
        continue;
      }
      work_.change.acknowledged.push_back({segment.header.lane, segment.row});
      if (options_.broken != CutsBreak::early_delete) acknowledged.push_back(segment);
    }
  }

  void count(const DiskWork& work) {
    for (const OutboxOutcome& outcome : work.outcomes) figures_.thinned += outcome.thinned_readings;
    for (const Event& event : work.events) {
      figures_.set_aside += event.name == "outbox_set_aside" ? 1U : 0U;
      figures_.epochs += event.name == "outbox_new_epoch" ? 1U : 0U;
    }
  }

  CutsLedger::Found look(StoreDisk& store) {
    CutsLedger::Found found;
    for (const Lane lane : kLanes) {
      std::array<std::uint64_t, kLanes.size()> dropped{};
      for (const OutboxRow& row : store.peek(lane, 0, 100'000, 64U << 20U, dropped)) found.segments.push_back(ledger_.read(row));
    }
    const DiskFigures figures = store.figures();
    found.epoch = figures.epoch;
    epoch_ = figures.epoch;
    found.newest_seq = figures.newest_seq;
    if (has_pressure_ || is_damaged_ || options_.lies_per_thousand > 0) found.untold = untold();
    return found;
  }

  /// The gaps not yet reported, read from a copy: the store has its database for itself.
  std::vector<Gap> untold() {
    std::vector<Gap> gaps;
    CrashDisk copy = *mounted_;
    copy.cut_power_after(0);
    CrashFileLayer::mount(&copy, chance_());
    {
      auto database = Sqlite::open(store_options_.directory + "/outbox.db", {});
      auto statement = database ? database->prepare("SELECT lane, epoch, readings, first_seq, last_seq, cause FROM gap")
                                : Result<SqliteStatement>{database.error()};
      while (statement && statement->step().value_or(false)) {
        gaps.push_back({.cause = static_cast<Gap::Cause>(statement->integer(5)), .lane = static_cast<Lane>(statement->integer(0)),
                        .readings = static_cast<std::uint64_t>(statement->integer(2)), .epoch = std::bit_cast<Epoch>(statement->integer(1)),
                        .first_seq = static_cast<std::uint64_t>(statement->integer(3)),
                        .last_seq = static_cast<std::uint64_t>(statement->integer(4))});
      }
    }
    CrashFileLayer::resume(mounted_, mount_);
    return gaps;
  }

  void mount(CrashDisk& disk) {
    mounted_ = &disk;
    mount_ = CrashFileLayer::mount(&disk, chance_());
  }

  /// Looks at some of the disks that the cut may have left; life goes on with the last one. False if it cannot.
  bool cut() {
    disk_.cut_power();
    store_.reset();
    work_ = DiskWork{};
    batch_.clear();
    handed_.clear();
    // A power cut ends a boot. But a new boot begins a new epoch, and that numbers go on rightly is to be seen, too.
    if (below(4) == 0) ++boot_;
    const std::uint64_t disks = 1 + below(6);
    for (std::uint64_t i = 0; i < disks && !ledger_.failed(); ++i) {
      CrashDisk left = disk_.after_power_cut(chance_());
      const bool goes_on = i + 1 == disks;
      left.lie(options_.broken == CutsBreak::no_sync ? 1000 : options_.lies_per_thousand, chance_());
      mount(left);
      open();
      DiskWork work;
      work.boots = boots();
      is_new_ = false;
      work.moment = {boot(), BootTime{seconds{2'000}}};
      work.utc = UtcTime{seconds{1'900'000'000}};
      store_->commit(work);
      if (!work.result) {
        ledger_.violation("the store does not start after a cut: " + work.result.error().sentence());
        store_.reset();
        CrashFileLayer::mount(nullptr, 0);
        return false;
      }
      salvage(*store_);
      if (goes_on) count(work);
      const auto found = look(*store_);
      ledger_.settle_cut(found, goes_on);
      if (!goes_on) {
        store_.reset();
        continue;
      }
      found_ = found;
      figures_.lies += disk_.lies();
      disk_ = std::move(left);  // the store's descriptors go with it
      mounted_ = &disk_;
      CrashFileLayer::resume(&disk_, mount_);
    }
    return store_ != nullptr;
  }

  const CutsOptions& options_;
  CutsFigures& figures_;
  std::mt19937_64 chance_;
  std::uint64_t seed_;
  std::uint64_t life_ = 0;
  std::uint64_t boot_ = 0;
  bool is_new_ = false;  ///< the process: it tells the store its boot with the first commit
  CutsLedger ledger_;
  bool has_pressure_ = false;
  bool is_damaged_ = false;
  SeriesTable table_;
  ManualClock clock_;
  Log log_{clock_, LogLevel::error, [](LogLevel, std::string_view) {}};
  StoreOptions store_options_;
  CrashDisk disk_;
  CrashDisk* mounted_ = nullptr;
  std::uint64_t mount_ = 0;
  Epoch epoch_ = 0;  ///< as seen last
  std::unique_ptr<StoreDisk> store_;
  DiskWork work_;                        ///< what gathers for the next commit
  std::vector<std::uint64_t> batch_;     ///< its samples
  std::uint64_t next_sample_ = 0;
  CutsLedger::Found found_;              ///< what waits, as seen last
  std::vector<CutsLedger::Found::Segment> handed_;  ///< what this process has in hand of it
  std::optional<std::vector<std::byte>> copy_;
  std::optional<std::map<std::string, std::vector<std::byte>>> image_;
};

}  // namespace

CutsFigures run_cuts(const CutsOptions& options) {
  constexpr std::uint64_t kLivesMax = 24;
  CutsFigures figures;
  if (options.chain != 0) {
    options.told.trial("chain " + std::to_string(options.chain), 0, options.cuts);
    Chain chain{options, figures, options.chain};
    chain.run(kLivesMax);
    return figures;
  }
  std::mt19937_64 chance{options.seed};
  while (figures.cuts < options.cuts && figures.violations.size() < options.violations_max) {
    const std::uint64_t seed = chance();
    options.told.trial("chain " + std::to_string(seed), figures.cuts, options.cuts);
    Chain chain{options, figures, seed};
    chain.run(1 + chance() % kLivesMax);
  }
  return figures;
}

}  // namespace fieldpost
