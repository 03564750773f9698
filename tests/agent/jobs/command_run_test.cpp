// SPDX-License-Identifier: Apache-2.0
// Real programs, in the loop's own time.
#include <cstdlib>

#include "agent/jobs/output_tail.hpp"
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct CommandRunTest : OperationWorld {
  void make_steps(const std::vector<std::string>& handlers, const std::string& more = "", const std::string& each = "") {
    std::string steps;
    for (const std::string& name : handlers) {
      steps += std::string{steps.empty() ? "" : ","} + R"({"action":{"name":"Do )" + name + R"(","type":"runHandler","input":{"handler":")" + name +
               R"("})" + each + "}}";
    }
    make(&make_command_run, R"({"version":"1.0","steps":[)" + steps + "]" + more + "}");
  }
};

TEST_F(CommandRunTest, RunsEachStepOnceItIsRecorded) {
  handler("a.sh", "echo a >> " + directory.file("order"));
  handler("b.sh", "echo b >> " + directory.file("order"));
  make_steps({"a.sh", "b.sh"});
  run();
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(directory.read("order"), "a\nb\n");
  EXPECT_EQ(saved, (std::vector<int>{1, 2}));
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0][1].second, "step 2 of 2 (Do b.sh)");
}

TEST_F(CommandRunTest, GivesTheHandlerUserArgumentsAndEnvironment) {
  handler("show.sh", R"(echo "$#:$1:$2:$3:$FIELDPOST_JOB:$FIELDPOST_JOB_EXECUTION:$FIELDPOST_DEVICE")");
  make(&make_command_run, R"({"operation":"show.sh","args":["one two","three"],"includeStdOut":true})");
  run();
  EXPECT_EQ(detail("stdout"), "3::one two:three:job-1:1:gw-1\n");
}

TEST_F(CommandRunTest, TheAgentsOwnEnvironmentIsNotTheHandlers) {
  ::setenv("NOTIFY_SOCKET", "/run/somewhere", 1);
  ::setenv("FIELDPOST_BROKER_PASSWORD_FILE", "/etc/secret", 1);
  handler("show.sh", "env");
  make(&make_command_run, R"({"operation":"show.sh","includeStdOut":true})");
  run();
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("FIELDPOST_BROKER_PASSWORD_FILE");
  EXPECT_EQ(detail("stdout").find("NOTIFY_SOCKET"), std::string::npos);
  EXPECT_EQ(detail("stdout").find("FIELDPOST_BROKER"), std::string::npos);
  EXPECT_NE(detail("stdout").find("PATH="), std::string::npos);
  EXPECT_NE(detail("stdout").find("FIELDPOST_JOB=job-1"), std::string::npos);
}

TEST_F(CommandRunTest, AHandlerThatOthersCouldChangeByNowIsNotRun) {
  handler("late.sh", "touch " + directory.file("ran"));
  make(&make_command_run, R"({"operation":"late.sh"})");
  ::chmod(directory.file("handlers").c_str(), 0777);
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_NE(detail("reason").find("could be changed by others"), std::string::npos) << detail("reason");
  EXPECT_FALSE(directory.exists("ran"));
}

TEST_F(CommandRunTest, OutputIsToldOnlyIfAskedForAndErrorsAlways) {
  handler("talk.sh", "echo out; echo err >&2");
  make(&make_command_run, R"({"operation":"talk.sh"})");
  run();
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(detail("stdout"), "");
  EXPECT_EQ(detail("stderr"), "err\n");
}

TEST_F(CommandRunTest, AFailureEndsItWithCodeAndWords) {
  handler("bad.sh", "echo why >&2; exit 3");
  handler("never.sh", "touch " + directory.file("never"));
  make_steps({"bad.sh", "never.sh"}, R"(,"finalStep":{"action":{"type":"runHandler","input":{"handler":"never.sh"}}})");
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("reason"), "step 1 of 3 (Do bad.sh) ended with 3");
  EXPECT_EQ(detail("stderr"), "why\n");
  EXPECT_FALSE(directory.exists("never"));
}

TEST_F(CommandRunTest, AFailureThatIsIgnoredIsNone) {
  handler("bad.sh", "exit 3");
  make_steps({"bad.sh", "bad.sh"}, "", R"(,"ignoreStepFailure":"true")");
  run();
  EXPECT_EQ(ended->status, JobStatus::succeeded);
}

TEST_F(CommandRunTest, TooManyLinesOnStandardErrorAreAFailure) {
  handler("two.sh", "echo 1 >&2; echo 2 >&2");
  make(&make_command_run, R"({"operation":"two.sh","allowStdErr":2})");
  run();
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  ended.reset();
  make(&make_command_run, R"({"operation":"two.sh","allowStdErr":1})");
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(CommandRunTest, ATimeoutEndsTheWholeGroup) {
  handler("slow.sh", "echo $$ > " + directory.file("pid") + "; sleep 1000");
  make(&make_command_run, R"({"operation":"slow.sh"})");
  operation->begin(*this, {});
  ASSERT_TRUE(loop.run_until([this] { return directory.exists("pid"); }));
  loop.advance(options.command_timeout);
  ASSERT_TRUE(loop.run_until([this] { return ended.has_value(); }));
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("reason"), "step 1 of 1 (slow.sh) took longer than 1800 s and was ended");
}

TEST_F(CommandRunTest, OneThatDoesNotHearIsKilled) {
  handler("deaf.sh", "trap '' TERM; touch " + directory.file("up") + "; while true; do sleep 1000; done");
  make(&make_command_run, R"({"operation":"deaf.sh"})");
  operation->begin(*this, {});
  ASSERT_TRUE(loop.run_until([this] { return directory.exists("up"); }));
  operation->stop();
  loop.run_ready();
  EXPECT_FALSE(ended);
  loop.advance(seconds{10});
  ASSERT_TRUE(loop.run_until([this] { return ended.has_value(); }));
}

TEST_F(CommandRunTest, WhatWasCutOffIsNotRunAgain) {
  handler("once.sh", "touch " + directory.file("ran"));
  for (const char* boot : {"00000000-0000-4000-8000-000000000001", "another boot"}) {
    ended.reset();
    make(&make_command_run, R"({"operation":"once.sh"})");
    run({1, "", boot});
    EXPECT_EQ(ended->status, JobStatus::failed);
    EXPECT_NE(detail("reason").find("not run again"), std::string::npos);
  }
  EXPECT_FALSE(directory.exists("ran"));
}

// The reboot pattern of the Device Client's sample: the handler reboots the host, is run again after it, and then says how it went.
TEST_F(CommandRunTest, AHandlerThatRebootsIsRunAgainAfterIt) {
  handler("first.sh", "echo first >> " + directory.file("order"));
  handler("reboot.sh", "echo reboot >> " + directory.file("order"));
  make_steps({"first.sh", "reboot.sh"});
  run({2, "", "the boot before"});
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(directory.read("order"), "reboot\n");
  ended.reset();
  make_steps({"first.sh", "reboot.sh"});
  run({2, "", clock.boot_id()});  // no reboot came between
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(CommandRunTest, AProgramThatIsNotThereFailsTheJob) {
  options.commands = {"/nowhere/program"};
  make(&make_command_run, R"({"version":"1.0","steps":[{"action":{"type":"runCommand","input":{"command":"/nowhere/program"}}}]})");
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(CommandRunTest, NothingRunsThatIsNotRecorded) {
  disk_ok = false;
  handler("a.sh", "touch " + directory.file("ran"));
  make(&make_command_run, R"({"operation":"a.sh"})");
  operation->begin(*this, {});
  loop.run_ready();
  EXPECT_FALSE(directory.exists("ran"));
  operation->stop();
  EXPECT_TRUE(ended);
}

TEST(OutputTail, KeepsTheEnd) {
  OutputTail tail;
  tail.add(std::string(2'000, 'a') + "\n");
  tail.add("end");
  EXPECT_EQ(tail.text().size(), OutputTail::kBytesMax);
  EXPECT_TRUE(tail.text().ends_with("a\nend"));
  EXPECT_EQ(tail.lines(), 2U);
  OutputTail cut;
  cut.add("\xc3\xa4" + std::string(OutputTail::kBytesMax - 1, 'x'));
  EXPECT_EQ(cut.text(), std::string(OutputTail::kBytesMax - 1, 'x'));
}

}  // namespace
}  // namespace fieldpost
