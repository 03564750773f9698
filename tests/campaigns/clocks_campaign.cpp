// SPDX-License-Identifier: Apache-2.0
// A scene is one board with one state directory over a few boots. True time and the board's boot time go at different rates while
// nothing disciplines the clock; every reading remembers the true instant at which it was taken.
#include "tests/campaigns/clocks_campaign.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "agent/store/boot_table.hpp"
#include "agent/store/store.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr UtcTime kBuilt{std::chrono::sys_days{std::chrono::year{2026} / 11 / 1}};
constexpr double kCrystalPpmMax = 50;
constexpr std::size_t kViolationsMax = 20;
/// What corrected readings are held to, where the crystal could not take them further than this allows.
constexpr nanoseconds kCorrectedWithin = seconds{1};

struct Reading {
  UtcTime truth;
  bool before_known = false;         ///< taken before its boot knew the time
  double drift_ppm = 0;
  nanoseconds boot_time{};
  std::optional<Store::UtcStamp> at_once;  ///< what the table said when it was taken
  bool sent = false;
  bool may_be_lost = false;          ///< not known to be durable when the power went
};

class Scene {
 public:
  Scene(const ClocksOptions& options, std::uint64_t seed, ClocksFigures& figures)
      : options_{options}, seed_{seed}, chance_{seed}, figures_{figures} {
    Series series;
    series.name = "fieldpost_test_reading";
    series.kind = SeriesKind::gauge;
    id_ = table_.add(series).value();
    store_options_.directory = directory_.file("state");
    store_options_.quota_bytes = 4 << 20;
    store_options_.age_max = seconds{0};
    truth_ = kBuilt + days{3} + minutes{between(0, 60 * 24 * 300)};
  }

  void run() {
    ++figures_.scenes;
    const auto boots = between(1, 4);
    for (std::int64_t boot = 0; boot < boots; ++boot) {
      begin_boot();
      const auto acts = between(4, 14);
      for (std::int64_t act = 0; act < acts && figures_.violations.size() < kViolationsMax; ++act) act_once();
      end_boot();
    }
    // A last boot in which all comes right: what still waits is sent with what is known by then.
    begin_boot();
    take_readings();
    synchronise();
    take_readings();
    send();
    for (const auto& [value, reading] : readings_) {
      if (!reading.sent && !reading.may_be_lost) violate("reading " + std::to_string(value) + " was never sent");
    }
    store_->close();
  }

 private:
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>{least, most}(chance_);
  }
  bool one_in(std::int64_t count) { return between(1, count) == 1; }

  void violate(const std::string& what) {
    if (figures_.violations.size() < kViolationsMax) {
      figures_.violations.push_back("scene seed " + std::to_string(seed_) + ", boot " + std::to_string(boot_number_) + ": " + what);
      options_.told.violation(figures_.violations.back());
    }
  }

  // --- the world ---

  void begin_boot() {
    ++figures_.boots;
    ++boot_number_;
    char id[40];
    std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012llx", static_cast<unsigned long long>(seed_ % 65'536 * 65'536 + boot_number_));
    clock_.emplace(kBuilt);
    loop_ = std::make_unique<ManualEventLoop>(*clock_);
    log_ = std::make_unique<CollectingLog>(*clock_);
    clock_->set_boot_id(id);
    clock_->set_now(BootTime{seconds{between(2, 30)}});
    truth_ += seconds{between(60, 7'200)};  // it was off for a while
    drift_ppm_ = static_cast<double>(between(-1'000, 1'000)) / 1'000 * kCrystalPpmMax;
    synchronised_ = false;
    is_known_ = false;
    is_lie_ = false;
    // No battery: 1970, or what a service saved; a battery: nearly right, or years off.
    switch (between(0, 3)) {
      case 0: wall_ = UtcTime{seconds{between(0, 60)}}; break;
      case 1: wall_ = truth_ - minutes{between(1, 500'000)}; break;
      case 2: wall_ = truth_ + milliseconds{between(-5'000, 5'000)}; break;
      default: wall_ = truth_ + days{between(-3'650, 3'650)}; break;
    }
    set_wall();
    open();
  }

  void end_boot() {
    if (one_in(2)) {
      store_->close();
      mark_durable();
    }
    if (options_.broken == ClocksBreak::forget_floor) {
      std::error_code ignored;
      store_.reset();
      std::filesystem::remove(store_options_.directory + "/state.db", ignored);
      std::filesystem::remove(store_options_.directory + "/state.db-wal", ignored);
      std::filesystem::remove(store_options_.directory + "/state.mirror", ignored);
    }
    store_.reset();  // without close(): as a power cut, for what was not flushed
    for (auto& [value, reading] : readings_) reading.may_be_lost = !durable_.contains(value);
    durable_up_to_ = last_value_;
  }

  void open() {
    store_.emplace(*loop_, log_->log(), table_, store_options_);
    flush();
  }

  void set_wall() {
    const bool says = synchronised_ || options_.broken == ClocksBreak::believe;
    clock_->set_utc({wall_, says, synchronised_ ? error_ : nanoseconds{milliseconds{1}}});
  }

  void pass(nanoseconds boot_time) {
    loop_->advance(boot_time);
    const double rate = synchronised_ ? 0.0 : drift_ppm_ * 1e-6;
    truth_ += boot_time + nanoseconds{static_cast<std::int64_t>(static_cast<double>(boot_time.count()) * rate)};
    wall_ += boot_time;
    set_wall();
  }

  void synchronise() {
    error_ = std::chrono::microseconds{between(500, 400'000)};
    wall_ = truth_ + nanoseconds{between(-error_.count(), error_.count())};
    synchronised_ = true;
    is_known_ = true;
    is_lie_ = false;
    set_wall();
    flush();  // the store looks at each commit
    best_known_ = truth_;
    last_known_[clock_->boot_id()] = clock_->now().time_since_epoch();
    note_known();
  }

  void step() {
    ++figures_.steps;
    synchronised_ = false;  // settimeofday(2) and ADJ_SETOFFSET say so by themselves
    constexpr nanoseconds kSteps[] = {hours{1}, -hours{1}, days{3650}, -days{3650}, seconds{2}, -seconds{2}, milliseconds{300}};
    switch (between(0, 2)) {
      case 0: wall_ = UtcTime{seconds{between(0, 1'000)}}; break;
      case 1: wall_ = UtcTime{seconds{(1LL << 31) + between(-10, 10)}}; break;  // 2038
      default: wall_ += kSteps[between(0, 6)]; break;
    }
    set_wall();
  }

  /// The kernel says "synchronised" and it is not so: nothing here can tell, but it must be mended by the truth.
  void lie() {
    ++figures_.steps;
    error_ = milliseconds{between(1, 50)};
    wall_ = truth_ + minutes{between(10, 60 * 24 * 3'650)} * (one_in(2) ? 1 : -1);
    synchronised_ = true;
    is_known_ = true;
    is_lie_ = true;
    best_known_.reset();
    set_wall();
    flush();
    note_known();
  }

  void act_once() {
    switch (between(0, 9)) {
      case 0: case 1: case 2: case 3: take_readings(); break;
      case 4: pass(one_in(8) ? nanoseconds{hours{between(1, 168)}} : nanoseconds{seconds{between(1, 1'800)}}); break;
      case 5: step(); break;
      case 6: if (one_in(2)) synchronise(); break;
      case 7: send(); break;
      case 8:
        if (one_in(12)) {
          lie();
        } else {
          synchronised_ = false;  // NTP has gone
          set_wall();
        }
        break;
      default: {
        store_->close();
        store_.reset();
        mark_durable();
        open();
        break;
      }
    }
    check_floor();
  }

  // --- the agent ---

  void take_readings() {
    const auto count = between(1, 5);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t value = ++last_value_;
      Reading reading;
      reading.truth = truth_;
      reading.before_known = !is_known_;
      reading.drift_ppm = drift_ppm_;
      reading.boot_time = clock_->now().time_since_epoch();
      reading.at_once = store_->utc_of(clock_->boot_id(), clock_->now());
      readings_.emplace(value, reading);
      store_->add(Lane::live, Sample{id_, value, clock_->now(), Quality::good});
      pass(milliseconds{between(100, 30'000)});
    }
    if (one_in(2)) flush();
  }

  void flush() {
    std::optional<bool> done;
    store_->flush([&done](const Result<void>& result) { done = result.has_value(); });
    if (!loop_->run_until([&done] { return done.has_value(); }) || !*done) violate("a flush failed");
    mark_durable();
  }

  void mark_durable() {
    for (auto entry = readings_.upper_bound(durable_up_to_); entry != readings_.end(); ++entry) durable_.insert(entry->first);
    durable_up_to_ = last_value_;
  }

  void send() {
    flush();
    std::optional<std::vector<OutgoingSegment>> found;
    store_->fetch(Lane::live, 0, 1'000, 16U << 20U, [&found](std::vector<OutgoingSegment> segments) { found = std::move(segments); });
    if (!loop_->run_until([&found] { return found.has_value(); })) return violate("a fetch never ended");
    for (const OutgoingSegment& segment : *found) {
      const auto content = decode_segment_content(segment.bytes);
      if (!content) {
        violate("a segment is not whole");
        continue;
      }
      const auto key = std::pair{segment.header.epoch, segment.header.seq};
      if (!numbers_.insert({key, content->samples.empty() ? 0 : content->samples.front().value.integer()}).second) {
        violate("seq " + std::to_string(segment.header.seq) + " was used twice");
      }
      for (const Sample& sample : content->samples) judge(segment.header, sample);
      store_->acknowledge(segment);
    }
    flush();
  }

  // --- the judge ---

  void judge(const SegmentHeader& header, const Sample& sample) {
    const std::int64_t value = sample.value.integer();
    const auto known = readings_.find(value);
    if (known == readings_.end()) return violate("a reading came that was never taken");
    Reading& reading = known->second;
    if (std::exchange(reading.sent, true)) return violate("reading " + std::to_string(value) + " came twice");
    if (value <= last_sent_) violate("reading " + std::to_string(value) + " came after a later one");
    last_sent_ = value;
    if (sample.time.time_since_epoch() != reading.boot_time) return violate("a reading's own boot time was changed");
    ++figures_.sent;

    // As a message says it: UTC of the segment's first reading, distances, and the largest error.
    auto stamp = store_->utc_of(header.boot, header.first);
    const auto last = store_->utc_of(header.boot, header.last);
    if (stamp && last) stamp->error_bound = std::max(stamp->error_bound, last->error_bound);
    if (options_.broken == ClocksBreak::stamp_at_once) stamp = reading.at_once;
    if (!stamp) return violate("no UTC at all for reading " + std::to_string(value));
    if (options_.broken != ClocksBreak::stamp_at_once) stamp->time += sample.time - header.first;
    if (options_.broken == ClocksBreak::no_drift && stamp->trusted) stamp->error_bound = std::min(stamp->error_bound, nanoseconds{error_ + BootTable::kStepMin});

    const bool is_present_boot = header.boot == clock_->boot_id();
    if (stamp->trusted != (known_boots_.contains(header.boot) || (is_present_boot && is_known_))) {
      violate("reading " + std::to_string(value) + (stamp->trusted ? " claims to be trusted" : " is not trusted though its boot knew the time"));
    }
    if (stamp->time < kBuilt && !stamp->trusted) violate("a UTC below the lowest instant");
    const nanoseconds wrong = std::chrono::abs(stamp->time - reading.truth);
    stamp->trusted ? ++figures_.sent_trusted : ++figures_.sent_untrusted;
    if (stamp->trusted ? lied_boots_.contains(header.boot) : !lied_boots_.empty()) {
      ++figures_.lied_to;
      return;
    }
    if (!stamp->trusted && stamp->error_bound < BootTable::kUnknownError) ++figures_.bracketed;
    if (wrong > stamp->error_bound) {
      violate("reading " + std::to_string(value) + (stamp->trusted ? " (trusted)" : " (not trusted)") + " is wrong by " +
              std::to_string(wrong.count() / 1'000'000) + " ms and says " + std::to_string(stamp->error_bound.count() / 1'000'000));
    }
    if (!stamp->trusted || !reading.before_known) return;
    ++figures_.corrected;
    // What NTP itself allows (error_), and what this crystal does in the time from the reading to the synchronisation that counts,
    // are not the agent's to mend; all else must be within a second.
    const auto known_at = last_known_.find(header.boot);
    if (known_at == last_known_.end()) return;
    const nanoseconds since = std::chrono::abs(nanoseconds{known_at->second - reading.boot_time});
    const bool is_drift_small = static_cast<double>(since.count()) * std::abs(reading.drift_ppm) * 1e-6 < 5e8;
    if (!is_drift_small) return;
    figures_.corrected_worst_ms = std::max(figures_.corrected_worst_ms, static_cast<double>(wrong.count()) / 1e6);
    if (wrong > kCorrectedWithin) violate("reading " + std::to_string(value) + " was corrected to " + std::to_string(wrong.count() / 1'000'000) + " ms only");
  }

  void check_floor() {
    note_known();
    if (!lied_boots_.empty()) return;
    if (clock_->floor() > truth_) violate("the floor is above the true time");
    // It is stored when the time becomes known, and every ten minutes; boots later it still holds, but for what clocks may be fast.
    if (best_known_ && clock_->floor() + BootTable::kSeenStep + hours{1} < *best_known_) violate("the floor is below what was known already");
  }

  void note_known() {
    const BootId& boot = clock_->boot_id();
    if (is_known_) known_boots_.insert(boot);
    if (is_lie_) {
      lied_boots_.insert(boot);
    } else if (is_known_ && synchronised_) {
      lied_boots_.erase(boot);
    }
  }

  const ClocksOptions& options_;
  const std::uint64_t seed_;
  std::mt19937_64 chance_;
  ClocksFigures& figures_;

  UtcTime truth_;
  UtcTime wall_;
  nanoseconds error_{};
  double drift_ppm_ = 0;
  bool synchronised_ = false;
  bool is_known_ = false;  ///< this boot was synchronised once
  bool is_lie_ = false;
  std::optional<UtcTime> best_known_;
  std::uint64_t boot_number_ = 0;
  std::set<BootId> known_boots_;
  std::set<BootId> lied_boots_;
  std::map<BootId, nanoseconds> last_known_;

  TemporaryDirectory directory_;
  std::optional<ManualClock> clock_;
  std::unique_ptr<ManualEventLoop> loop_;
  std::unique_ptr<CollectingLog> log_;
  SeriesTable table_;
  SeriesId id_{};
  StoreOptions store_options_;
  std::optional<Store> store_;

  std::map<std::int64_t, Reading> readings_;
  std::set<std::int64_t> durable_;
  std::int64_t durable_up_to_ = 0;
  std::int64_t last_value_ = 0;
  std::int64_t last_sent_ = 0;
  std::map<std::pair<Epoch, std::uint64_t>, std::int64_t> numbers_;
};

}  // namespace

ClocksFigures run_clocks(const ClocksOptions& options) {
  ClocksFigures figures;
  // Nothing here depends on the disk: where there is one in memory, it is ten times as fast.
  if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 0);  // NOLINT(concurrency-mt-unsafe): no thread yet
  for (std::uint64_t i = 0; i < options.scenes && figures.violations.size() < kViolationsMax; ++i) {
    options.told.trial("scene seed " + std::to_string(options.seed + i), i, options.scenes);
    Scene{options, options.seed + i, figures}.run();
  }
  return figures;
}

}  // namespace fieldpost
