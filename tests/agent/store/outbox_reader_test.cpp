// SPDX-License-Identifier: Apache-2.0
// Reads back what a real store wrote, and leaves the files as they were.
#include "agent/store/outbox_reader.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/store/store.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

class OutboxReaderTest : public testing::Test {
 protected:
  /// One sample in the live lane, one alert.
  void write() {
    SeriesTable series;
    Series one;
    one.name = "temperature";
    const SeriesId id = series.add(one).value();
    Store store{loop_, log_.log(), series, {.directory = directory_.path()}};
    store.add(Lane::live, Sample{id, 21.5, clock_.now()});
    Event event;
    event.name = "hot";
    event.severity = Severity::warn;
    event.time = clock_.now();
    event.message = "it is hot";
    store.add(event);
    bool flushed = false;
    store.flush([&](const Result<void>& result) { flushed = static_cast<bool>(result); });
    ASSERT_TRUE(loop_.run_until([&] { return flushed; }));
    store.close();
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
};

TEST_F(OutboxReaderTest, GivesWhatTheStoreKept) {
  write();
  auto reader = OutboxReader::open(directory_.path());
  ASSERT_TRUE(reader) << reader.error().sentence();
  int live = 0;
  EXPECT_EQ(reader->read(Lane::live,
                         [&](const SegmentHeader& header, const SegmentContent& content) {
                           ++live;
                           EXPECT_EQ(header.boot, clock_.boot_id());
                           EXPECT_EQ(content.samples.size(), 1U);
                           EXPECT_DOUBLE_EQ(content.samples[0].value.real(), 21.5);
                           EXPECT_EQ(content.series[0].name, "temperature");
                           return true;
                         }).value(),
            0U);
  EXPECT_EQ(live, 1);
  int alerts = 0;
  EXPECT_EQ(reader->read(Lane::alert,
                         [&](const SegmentHeader&, const SegmentContent& content) {
                           ++alerts;
                           EXPECT_EQ(content.events.at(0).name, "hot");
                           return true;
                         }).value(),
            0U);
  EXPECT_EQ(alerts, 1);
  // The boot is known, so its times have a UTC.
  const auto utc = reader->boots().utc_of(clock_.boot_id(), clock_.now());
  ASSERT_TRUE(utc);
  EXPECT_LT(std::chrono::abs(utc->time - clock_.utc().time), seconds{1});
}

TEST_F(OutboxReaderTest, ChangesNothing) {
  write();
  const std::string before = directory_.read("outbox.db");
  {
    auto reader = OutboxReader::open(directory_.path());
    ASSERT_TRUE(reader);
    ASSERT_TRUE(reader->read(Lane::live, [](const auto&, const auto&) { return true; }));
  }
  EXPECT_EQ(directory_.read("outbox.db"), before);
}

TEST_F(OutboxReaderTest, CountsDamagedSegmentsAndLeavesThemOut) {
  write();
  {
    auto database = Sqlite::open(directory_.file("outbox.db"), {});
    ASSERT_TRUE(database) << database.error().sentence();
    ASSERT_TRUE(database->execute("UPDATE body SET bytes = zeroblob(4)"));
  }
  auto reader = OutboxReader::open(directory_.path());
  ASSERT_TRUE(reader) << reader.error().sentence();
  EXPECT_EQ(reader->read(Lane::live, [](const auto&, const auto&) { return true; }).value(), 1U);
}

TEST_F(OutboxReaderTest, SaysWhenThereIsNoOutbox) {
  const auto reader = OutboxReader::open(directory_.path());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind(), ErrorKind::NotPresent);
  EXPECT_FALSE(directory_.exists("outbox.db"));
}

TEST_F(OutboxReaderTest, ReadsACopyWhileAnAgentHasIt) {
  SeriesTable series;
  Series one;
  one.name = "temperature";
  const SeriesId id = series.add(one).value();
  Store store{loop_, log_.log(), series, {.directory = directory_.path()}};
  for (int i = 0; i < 5; ++i) {
    store.add(Lane::live, Sample{id, i, clock_.now()});
    bool flushed = false;
    store.flush([&](const Result<void>& result) { flushed = static_cast<bool>(result); });
    ASSERT_TRUE(loop_.run_until([&] { return flushed; }));
  }
  const TemporaryDirectory place;
  // Another process, as `fieldpost dump` is: locks belong to processes.
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TMPDIR", place.path().c_str(), 1);
    int segments = 0;
    {
      auto reader = OutboxReader::open(directory_.path());
      if (!reader) ::_exit(1);
      const auto read = reader->read(Lane::live, [&segments](const auto&, const auto&) { return ++segments > 0; });
      if (!read) ::_exit(2);
    }
    ::_exit(segments == 5 && std::filesystem::is_empty(place.path()) ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  store.close();
}

}  // namespace
}  // namespace fieldpost
