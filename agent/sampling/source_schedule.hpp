// SPDX-License-Identifier: Apache-2.0
// Opens the sources and reads each at its interval: the leftmost stage. A source that blocks has a
// thread of its own, so that a stuck statfs or a wedged I2C bus holds up nobody else; while its read
// has not come back, its ticks are skipped and counted. A source that is not there is opened again
// with back-off: a USB stick, a card or an encoder may come later.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hal/sample.hpp"
#include "hal/source.hpp"
#include "platform/event_loop.hpp"
#include "platform/file_tree.hpp"
#include "platform/log.hpp"

namespace fieldpost {

/// One source to be read.
struct SourcePlan {
  std::string instance;
  const Driver* driver = nullptr;  ///< a row of a constant table
  OptionValues options;
  nanoseconds interval{};
  bool asked_for = false;  ///< a person named it: its absence is worth a warning
};

enum class SourceState : std::uint8_t {
  opening,
  working,
  failing,  ///< open, but its last read failed
  absent,   ///< the machine does not have it; tried again with back-off
  refused,  ///< an option is wrong; not tried again
};

std::string_view to_string(SourceState state) noexcept;

struct SourceStatus {
  std::string instance;
  std::string driver;
  SourceState state = SourceState::opening;
  nanoseconds interval{};
  bool busy = false;            ///< a read has not come back
  BootTime last_read;           ///< of the last read that succeeded; 0: none yet
  nanoseconds last_cost{};      ///< wall time of the last read
  nanoseconds cost{};           ///< of all reads together
  std::uint64_t reads = 0;      ///< that succeeded
  std::uint64_t failures = 0;
  std::uint64_t skipped = 0;    ///< ticks at which the read before had not come back
  std::uint64_t samples = 0;
  std::uint64_t samples_lost = 0;  ///< beyond kSamplesPerReadMax, or the series table was full
  std::string last_error;       ///< empty after a read that succeeded
};

class SourceSchedule {
 public:
  static constexpr std::size_t kSourcesMax = 200;
  /// What one read of a source on a worker may hand over.
  static constexpr std::size_t kSamplesPerReadMax = 20'000;
  static constexpr nanoseconds kReopenFirst = seconds{10};
  static constexpr nanoseconds kReopenMax = std::chrono::minutes{10};
  /// After so many failed reads in a row a source is closed and opened anew.
  static constexpr int kFailuresBeforeReopen = 5;

  /// Everything is lent and outlives the schedule.
  SourceSchedule(EventLoop& loop, Log& log, const FileTree& tree, SeriesTable& series,
                 SampleSink& next);
  /// Waits for reads on workers that run; see stuck().
  ~SourceSchedule();
  SourceSchedule(const SourceSchedule&) = delete;
  SourceSchedule& operator=(const SourceSchedule&) = delete;

  /// Errors: Full at kSourcesMax
  Result<void> add(SourcePlan plan);
  /// A source made by the agent itself, read on the loop.
  Result<void> add(std::string instance, std::unique_ptr<Source> source, nanoseconds interval);

  /// Opens and reads every source at once, then reads at whole multiples of its interval on the
  /// boot-time clock, so that sources of one interval are read together.
  void start();
  /// No further read begins.
  void stop();

  std::vector<SourceStatus> status() const;
  std::uint64_t samples_read() const noexcept { return samples_read_; }
  /// A read on a worker has not come back: the destructor would wait for it.
  bool stuck() const;

 private:
  struct Entry;
  class Inbox;

  void tick(Entry& entry);
  void open_on_loop(Entry& entry);
  void read_on_loop(Entry& entry);
  void work_on_worker(Entry& entry);
  void finish_on_worker(Entry& entry);
  void note_open(Entry& entry, Result<void> result);
  void note_read(Entry& entry, Result<void> result, nanoseconds cost);
  void fail(Entry& entry, const Error& error);
  void close(Entry& entry);

  EventLoop& loop_;
  Log& log_;
  const FileTree& tree_;
  SeriesTable& series_;
  SampleSink& next_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::uint64_t samples_read_ = 0;
  bool running_ = false;
};

}  // namespace fieldpost
