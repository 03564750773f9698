// SPDX-License-Identifier: Apache-2.0
// The form of a line, and that repeats are folded and counted, never lost.
#include "platform/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

TEST(Log, WritesTimeLevelPhraseAndFields) {
  ManualClock clock;
  CollectingLog log{clock};
  log.log().warn("source failed", {{"source", "cpu"},
                                   {"error", "open /proc/stat: No such file"},
                                   {"tries", 3},
                                   {"ratio", 0.1},
                                   {"again", true}});
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_EQ(log.lines()[0].text,
            "2026-01-01T00:00:00.000Z warn source failed source=cpu error=\"open /proc/stat: No such file\" "
            "tries=3 "
            "ratio=0.1 again=true");
  EXPECT_EQ(log.lines()[0].level, LogLevel::warn);
}

TEST(Log, DropsWhatIsAboveItsLevel) {
  const ManualClock clock;
  CollectingLog log{clock, LogLevel::warn};
  log.log().error("e");
  log.log().warn("w");
  log.log().info("i");
  log.log().debug("d");
  EXPECT_EQ(log.lines().size(), 2U);
  EXPECT_TRUE(log.log().enabled(LogLevel::warn));
  EXPECT_FALSE(log.log().enabled(LogLevel::info));
}

TEST(Log, NothingFromOutsideStartsALineOfItsOwn) {
  const ManualClock clock;
  CollectingLog log{clock};
  log.log().warn("phrase\nerror forged",
                 {{"value", "a\n2026 error forged"}, {"bell", "\x07"}, {"quote", "a\"b\\c"}, {"empty", ""}});
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_EQ(
      log.lines()[0].text,
      "2026-01-01T00:00:00.000Z warn phrase\\nerror forged value=\"a\\n2026 error forged\" bell=\"\\x07\" "
      "quote=\"a\\\"b\\\\c\" empty=\"\"");
}

TEST(Log, CutsLongValuesAtItsBound) {
  const ManualClock clock;
  CollectingLog log{clock};
  log.log().info("most", {{"v", std::string(Log::kValueBytesMax, 'x')}});
  log.log().info("more", {{"v", std::string(Log::kValueBytesMax + 1, 'x')}});
  EXPECT_TRUE(log.lines()[0].text.ends_with("=" + std::string(Log::kValueBytesMax, 'x')));
  EXPECT_TRUE(log.lines()[1].text.ends_with("=\"" + std::string(Log::kValueBytesMax, 'x') + "...\""));
}

TEST(Log, FoldsRepeatsAndCountsThem) {
  ManualClock clock;
  CollectingLog log{clock};
  for (int i = 0; i < 10; ++i) {
    log.log().warn("read failed", {{"source", "cpu"}, {"try", i}});
    clock.advance(seconds{1});
  }
  EXPECT_EQ(log.lines().size(), static_cast<std::size_t>(Log::kRepeatsShown));
  clock.advance(Log::kFoldWindow);
  log.log().info("something else");
  ASSERT_EQ(log.lines().size(), 5U);
  EXPECT_TRUE(log.lines()[3].text.ends_with("warn read failed source=cpu try=9 repeated=7"))
      << log.lines()[3].text;
}

TEST(Log, StartsAnewAfterTheWindow) {
  ManualClock clock;
  CollectingLog log{clock};
  for (int i = 0; i < 4; ++i) log.log().warn("read failed");
  clock.advance(Log::kFoldWindow - nanoseconds{1});
  log.log().warn("read failed");
  EXPECT_EQ(log.lines().size(), 3U);
  clock.advance(nanoseconds{1});
  log.log().warn("read failed");
  ASSERT_EQ(log.lines().size(), 5U);
  EXPECT_TRUE(log.lines()[3].text.ends_with("repeated=2"));
  EXPECT_TRUE(log.lines()[4].text.ends_with("warn read failed"));
}

TEST(Log, TwoThingsThatFailAreNotARepeat) {
  const ManualClock clock;
  CollectingLog log{clock};
  for (const char* source : {"a", "b", "c", "d", "e"}) log.log().warn("source failed", {{"source", source}});
  EXPECT_EQ(log.lines().size(), 5U);
}

TEST(Log, FoldsNoDebugLines) {
  const ManualClock clock;
  CollectingLog log{clock};
  for (int i = 0; i < 10; ++i) log.log().debug("segment durable", {{"lane", "live"}});
  EXPECT_EQ(log.lines().size(), 10U);
}

TEST(Log, SaysAtItsEndWhatIsStillFolded) {
  const ManualClock clock;
  std::vector<std::string> lines;
  {
    Log log{clock, LogLevel::info, [&](LogLevel, std::string_view line) { lines.emplace_back(line); }};
    for (int i = 0; i < 5; ++i) log.warn("read failed");
  }
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[3].ends_with("repeated=2"));
}

TEST(Log, WatchesABoundedNumberOfLines) {
  const ManualClock clock;
  CollectingLog log{clock};
  for (std::size_t i = 0; i < Log::kPhrasesMax; ++i) log.log().info("p", {{"n", i}});
  for (int i = 0; i < 5; ++i) log.log().info("one too many");
  EXPECT_EQ(log.count("one too many"), 5U);  // written, only not folded
  for (int i = 0; i < 5; ++i) log.log().info("p", {{"n", Log::kPhrasesMax - 1}});
  EXPECT_EQ(log.count("n=" + std::to_string(Log::kPhrasesMax - 1)), 3U);
}

TEST(Log, TakesLinesFromManyThreads) {
  const ManualClock clock;
  CollectingLog log{clock};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 100; ++i) log.log().info("line", {{"id", t * 1000 + i}});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(log.lines().size(), 400U);
}

TEST(Log, WritesToStandardErrorByItself) {
  const ManualClock clock;
  ::unsetenv("JOURNAL_STREAM");
  ::testing::internal::CaptureStderr();
  Log{clock, LogLevel::info}.error("no disk", {{"path", "/x"}});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "2026-01-01T00:00:00.000Z error no disk path=/x\n");
}

TEST(Log, AnInheritedJournalVariableIsNotBelieved) {
  const ManualClock clock;
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  ::testing::internal::CaptureStderr();
  Log{clock, LogLevel::info}.error("no disk");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "2026-01-01T00:00:00.000Z error no disk\n");
  ::unsetenv("JOURNAL_STREAM");
}

}  // namespace
}  // namespace fieldpost
