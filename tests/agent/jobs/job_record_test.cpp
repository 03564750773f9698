// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_record.hpp"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

JobRecord some_record() {
  JobRecord record;
  record.phase = JobRecord::Phase::acting;
  record.execution = {"job-1", 3, 17, JobStatus::in_progress, *from_rfc3339("2026-11-21T02:00:00.000Z"), R"({"operation":"x\n"})"};
  record.point = {2, "a \"note\"", "boot"};
  record.outcome = {JobStatus::failed, {{"reason", "no\nway"}, {"stderr", "\xff"}}};
  record.past.push_back({"job-0", 1, {JobStatus::rejected, {{"reason", "unknown"}}}, *from_rfc3339("2026-11-20T02:00:00.000Z"),
                         *from_rfc3339("2026-11-19T02:00:00.000Z")});
  record.budget_day = 20'000;
  record.budget_bytes = 5;
  return record;
}

TEST(JobRecordText, ReadsBackWhatItWrote) {
  const std::string text = to_text(some_record());
  const auto read = job_record(text);
  ASSERT_TRUE(read) << read.error().sentence();
  EXPECT_EQ(to_text(*read), text);
  EXPECT_EQ(read->execution.document, R"({"operation":"x\n"})");
  EXPECT_EQ(read->execution.version, 17);
  EXPECT_EQ(read->point.step, 2);
  EXPECT_EQ(read->outcome.details[0].second, "no\nway");
  EXPECT_EQ(read->past[0].outcome.status, JobStatus::rejected);
  EXPECT_EQ(read->past[0].queued_at, *from_rfc3339("2026-11-19T02:00:00.000Z"));
}

TEST(JobRecordText, AnEmptyOneIsFine) {
  const auto read = job_record(to_text({}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->phase, JobRecord::Phase::none);
}

TEST(JobRecordText, EveryChangedByteIsNoticed) {
  const std::string text = to_text(some_record());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_FALSE(job_record(changed)) << i;
    EXPECT_FALSE(job_record(text.substr(0, i))) << i;
  }
}

struct JobFileTest : testing::Test {
  ManualClock clock;
  ManualEventLoop loop{clock};
  TemporaryDirectory directory;
};

TEST_F(JobFileTest, KeepsTheRecord) {
  JobFile file{loop, directory.file("jobs")};
  EXPECT_EQ(file.read().error().kind(), ErrorKind::NotPresent);
  bool done = false;
  file.write(some_record(), [&done](const Result<void>& written) { done = written.has_value(); });
  ASSERT_TRUE(loop.run_until([&done] { return done; }));
  EXPECT_EQ(to_text(*JobFile(loop, directory.file("jobs")).read()), to_text(some_record()));
}

TEST_F(JobFileTest, SaysWhatTheDiskSays) {
  JobFile file{loop, directory.file("absent/jobs")};
  std::optional<ErrorKind> kind;
  file.write({}, [&kind](const Result<void>& written) { kind = written ? ErrorKind::Bug : written.error().kind(); });
  ASSERT_TRUE(loop.run_until([&kind] { return kind.has_value(); }));
  EXPECT_EQ(*kind, ErrorKind::NotPresent);
}

TEST_F(JobFileTest, ADamagedOneIsAnError) {
  directory.write("jobs", "fieldpost-jobs 1 01234567\n{}");
  EXPECT_EQ(JobFile(loop, directory.file("jobs")).read().error().kind(), ErrorKind::Malformed);
  directory.write("jobs", "");
  EXPECT_EQ(JobFile(loop, directory.file("jobs")).read().error().kind(), ErrorKind::Malformed);
}

}  // namespace
}  // namespace fieldpost
