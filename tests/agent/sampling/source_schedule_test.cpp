// SPDX-License-Identifier: Apache-2.0
// Intervals, skipped ticks, back-off and translation of ids, with drivers made here.
#include "agent/sampling/source_schedule.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

using namespace std::chrono_literals;

/// What the drivers below do next. Static because a driver's open is a plain function.
struct World {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<ErrorKind> open_fails;
  std::optional<ErrorKind> read_fails;
  bool read_hangs = false;
  int opened = 0;
  int reads = 0;
};
World* world = nullptr;

class WorldSource final : public Source {
 public:
  WorldSource(SeriesId series, SeriesTable& table) : series_{series}, table_{table} {}
  Result<void> read(SampleSink& sink, BootTime now) override {
    std::unique_lock lock{world->mutex};
    world->changed.wait(lock, [] { return !world->read_hangs; });
    if (world->read_fails) return Error{*world->read_fails, "as told"};
    ++world->reads;
    sink.accept({series_, world->reads, now});
    // A device that appears while reading.
    Series late;
    late.name = "late" + std::to_string(world->reads);
    const auto added = table_.add(late);
    if (added) sink.accept({*added, 1.5, now});
    return {};
  }

 private:
  SeriesId series_;
  SeriesTable& table_;
};

Result<std::unique_ptr<Source>> open_world(const SourceContext& context) {
  const std::lock_guard lock{world->mutex};
  ++world->opened;
  if (world->open_fails) return Error{*world->open_fails, "as told"};
  Series series;
  series.name = "world_" + std::string{context.instance};
  const SeriesId id = TRY(context.series.add(series));
  return std::make_unique<WorldSource>(id, context.series);
}

constexpr Driver kOnLoop{"looped", "test", "", Driver::Reads::on_loop, true, {}, &open_world};
constexpr Driver kOnWorker{"worked", "test", "", Driver::Reads::on_worker, true, {}, &open_world};

class SampleList final : public SampleSink {
 public:
  void accept(const Sample& sample) override { samples.push_back(sample); }
  std::vector<Sample> samples;
};

class SourceScheduleTest : public testing::Test {
 protected:
  SourceScheduleTest() { world = &world_; }
  ~SourceScheduleTest() override {
    {
      const std::lock_guard lock{world_.mutex};
      world_.read_hangs = false;
    }
    world_.changed.notify_all();
  }

  void add(const Driver& driver, nanoseconds interval = 10s, bool asked_for = false) {
    ASSERT_TRUE(schedule_->add({"s", &driver, OptionValues{}, interval, asked_for}));
  }
  SourceStatus status() const { return schedule_->status().at(0); }
  int reads() {
    const std::lock_guard lock{world_.mutex};
    return world_.reads;
  }
  int opened() {
    const std::lock_guard lock{world_.mutex};
    return world_.opened;
  }
  /// Lets a worker's read come back.
  void settle() {
    ASSERT_TRUE(loop_.run_until([&] { return !schedule_->stuck(); }));
  }

  World world_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  FileTree tree_;
  SeriesTable series_;
  SampleList samples_;
  std::unique_ptr<SourceSchedule> schedule_ =
      std::make_unique<SourceSchedule>(loop_, log_.log(), tree_, series_, samples_);
};

TEST_F(SourceScheduleTest, ReadsAtOnceAndThenAtWholeMultiplesOfTheInterval) {
  clock_.set_now(BootTime{1003s});
  add(kOnLoop);
  schedule_->start();
  loop_.run_ready();
  ASSERT_EQ(samples_.samples.size(), 2U);
  EXPECT_EQ(samples_.samples[0].time, BootTime{1003s});
  loop_.advance(7s);
  ASSERT_EQ(samples_.samples.size(), 4U);
  EXPECT_EQ(samples_.samples[2].time, BootTime{1010s});
  loop_.advance(20s);
  EXPECT_EQ(reads(), 4);
  EXPECT_EQ(status().state, SourceState::working);
  EXPECT_EQ(status().reads, 4U);
  EXPECT_EQ(schedule_->samples_read(), 8U);
}

TEST_F(SourceScheduleTest, ReadsNoMoreAfterStop) {
  add(kOnLoop);
  schedule_->start();
  loop_.run_ready();
  schedule_->stop();
  loop_.advance(60s);
  EXPECT_EQ(reads(), 1);
}

TEST_F(SourceScheduleTest, TranslatesTheIdsOfASourceOnAWorker) {
  // Something is in the table before, so that own and common ids differ.
  Series other;
  other.name = "other";
  ASSERT_TRUE(series_.add(other));
  add(kOnWorker);
  schedule_->start();
  loop_.run_ready();
  settle();
  loop_.advance(10s);
  settle();
  ASSERT_EQ(samples_.samples.size(), 4U);
  EXPECT_EQ(series_[samples_.samples[0].series].name, "world_s");
  EXPECT_EQ(series_[samples_.samples[1].series].name, "late1");
  EXPECT_EQ(series_[samples_.samples[2].series].name, "world_s");
  EXPECT_EQ(series_[samples_.samples[3].series].name, "late2");
  EXPECT_EQ(index(samples_.samples[0].series), 1U);
}

/// Always works, and touches nothing that the hanging one holds.
class SteadySource final : public Source {
 public:
  explicit SteadySource(SeriesId series) : series_{series} {}
  Result<void> read(SampleSink& sink, BootTime now) override {
    sink.accept({series_, 1, now});
    return {};
  }

 private:
  SeriesId series_;
};

TEST_F(SourceScheduleTest, SkipsAndCountsTicksWhileAReadHangsAndReadsTheOthers) {
  world_.read_hangs = true;
  add(kOnWorker);
  Series series;
  series.name = "steady";
  ASSERT_TRUE(schedule_->add("steady", std::make_unique<SteadySource>(series_.add(series).value()), 10s));
  schedule_->start();
  loop_.advance(35s);
  EXPECT_TRUE(schedule_->stuck());
  EXPECT_EQ(status().skipped, 3U);
  EXPECT_EQ(samples_.samples.size(), 4U);
  {
    const std::lock_guard lock{world_.mutex};
    world_.read_hangs = false;
  }
  world_.changed.notify_all();
  settle();
  EXPECT_EQ(status().reads, 1U);
  // The hanging read's samples bear the time at which it began.
  EXPECT_EQ(samples_.samples.back().time, BootTime{1000s});
}

TEST_F(SourceScheduleTest, OpensAnAbsentSourceAgainWithGrowingPauses) {
  world_.open_fails = ErrorKind::NotPresent;
  add(kOnLoop, 1s);
  schedule_->start();
  loop_.run_ready();
  EXPECT_EQ(opened(), 1);
  EXPECT_EQ(status().state, SourceState::absent);
  loop_.advance(9s);
  EXPECT_EQ(opened(), 1);
  loop_.advance(2s);
  EXPECT_EQ(opened(), 2);
  loop_.advance(15s);
  EXPECT_EQ(opened(), 2);
  loop_.advance(10s);
  EXPECT_EQ(opened(), 3);
  loop_.advance(24h);
  // At most one a SourceSchedule::kReopenMax from here on.
  EXPECT_LT(opened(), 160);
  EXPECT_GT(opened(), 140);

  world_.open_fails.reset();
  loop_.advance(SourceSchedule::kReopenMax);
  EXPECT_EQ(status().state, SourceState::working);
}

TEST_F(SourceScheduleTest, SaysNothingAloudAboutWhatNobodyAskedFor) {
  world_.open_fails = ErrorKind::NotPresent;
  add(kOnLoop);
  schedule_->start();
  loop_.advance(1h);
  EXPECT_EQ(log_.count("source cannot be opened"), 0U);
  EXPECT_EQ(log_.count("source not on this machine"), 1U);
}

TEST_F(SourceScheduleTest, WarnsOnceOfAnAbsentSourceThatWasAskedFor) {
  world_.open_fails = ErrorKind::NotPresent;
  add(kOnLoop, 10s, true);
  schedule_->start();
  loop_.advance(1h);
  EXPECT_EQ(log_.count("source cannot be opened, trying again later"), 1U);
}

TEST_F(SourceScheduleTest, DoesNotTryARefusedOptionAgain) {
  world_.open_fails = ErrorKind::OutOfRange;
  add(kOnLoop);
  schedule_->start();
  loop_.advance(1h);
  EXPECT_EQ(opened(), 1);
  EXPECT_EQ(status().state, SourceState::refused);
  EXPECT_EQ(log_.count("source refused, correct its options"), 1U);
}

TEST_F(SourceScheduleTest, CountsFailedReadsTellsOnceAndTellsWhenItWorksAgain) {
  add(kOnLoop);
  schedule_->start();
  loop_.run_ready();
  world_.read_fails = ErrorKind::Io;
  loop_.advance(30s);
  EXPECT_EQ(status().state, SourceState::failing);
  EXPECT_EQ(status().failures, 3U);
  EXPECT_EQ(status().last_error, "as told");
  EXPECT_EQ(log_.count("source failed"), 1U);
  world_.read_fails.reset();
  loop_.advance(10s);
  EXPECT_EQ(status().state, SourceState::working);
  EXPECT_EQ(status().last_error, "");
  EXPECT_EQ(log_.count("source works again"), 1U);
  EXPECT_EQ(opened(), 1);
}

TEST_F(SourceScheduleTest, OpensASourceAnewAfterFailuresInARow) {
  add(kOnLoop, 1s);
  schedule_->start();
  loop_.run_ready();
  world_.read_fails = ErrorKind::Io;
  loop_.advance(seconds{SourceSchedule::kFailuresBeforeReopen - 1});
  EXPECT_EQ(opened(), 1);
  loop_.advance(1s);
  world_.read_fails.reset();
  loop_.advance(SourceSchedule::kReopenFirst);
  EXPECT_EQ(opened(), 2);
  EXPECT_EQ(status().state, SourceState::working);
}

TEST_F(SourceScheduleTest, ClosesASourceThatHasGone) {
  add(kOnLoop, 1s);
  schedule_->start();
  loop_.run_ready();
  world_.read_fails = ErrorKind::NotPresent;
  loop_.advance(1s);
  EXPECT_EQ(status().state, SourceState::absent);
  world_.read_fails.reset();
  loop_.advance(SourceSchedule::kReopenFirst + 1s);
  EXPECT_EQ(opened(), 2);
  EXPECT_EQ(status().state, SourceState::working);
}

TEST_F(SourceScheduleTest, TakesSourcesUpToItsBound) {
  for (std::size_t i = 0; i < SourceSchedule::kSourcesMax; ++i) {
    ASSERT_TRUE(schedule_->add({"s", &kOnLoop, OptionValues{}, 1s, false}));
  }
  const auto refused = schedule_->add({"s", &kOnLoop, OptionValues{}, 1s, false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Full);
}

/// Gives one sample more than a worker may hand over.
class FloodSource final : public Source {
 public:
  explicit FloodSource(SeriesId series) : series_{series} {}
  Result<void> read(SampleSink& sink, BootTime now) override {
    for (std::size_t i = 0; i <= SourceSchedule::kSamplesPerReadMax; ++i) sink.accept({series_, 1, now});
    return {};
  }

 private:
  SeriesId series_;
};

Result<std::unique_ptr<Source>> open_flood(const SourceContext& context) {
  Series series;
  series.name = "flood";
  return std::make_unique<FloodSource>(TRY(context.series.add(series)));
}

TEST_F(SourceScheduleTest, CountsSamplesBeyondItsBound) {
  static constexpr Driver kFlood{"flood", "test", "", Driver::Reads::on_worker, true, {}, &open_flood};
  add(kFlood);
  schedule_->start();
  loop_.run_ready();
  settle();
  EXPECT_EQ(status().samples, SourceSchedule::kSamplesPerReadMax);
  EXPECT_EQ(status().samples_lost, 1U);
}

}  // namespace
}  // namespace fieldpost
