// SPDX-License-Identifier: Apache-2.0
// Real programs (sh, cat, true): their output, their end, and that nothing of them is left behind.
#include "platform/child_process.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG | __WALL) >= 0 || errno != ECHILD; }

bool runs(pid_t process) { return ::kill(process, 0) == 0; }

class ChildProcessTest : public ::testing::Test {
 protected:
  /// Starts `sh -c script` and collects everything.
  std::unique_ptr<ChildProcess> shell(const std::string& script, std::vector<std::string> environment = {}) {
    auto child =
        ChildProcess::start(loop_, {.arguments = {"sh", "-c", script},
                                    .environment = std::move(environment),
                                    .on_output = [this](std::string_view bytes) { output_ += bytes; },
                                    .on_error_output = [this](std::string_view bytes) { errors_ += bytes; },
                                    .on_exit =
                                        [this](int status) {
                                          status_ = status;
                                          ++exits_;
                                        }});
    if (!child) {
      ADD_FAILURE() << child.error().sentence();
      return nullptr;
    }
    return *std::move(child);
  }

  bool wait_for_exit() {
    return loop_.run_until([this] { return status_.has_value(); });
  }

  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  std::string output_;
  std::string errors_;
  std::optional<int> status_;
  int exits_ = 0;
};

TEST_F(ChildProcessTest, GivesBothStreamsAndTheStatus) {
  const auto child = shell("echo out; echo err >&2; exit 7");
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(output_, "out\n");
  EXPECT_EQ(errors_, "err\n");
  ASSERT_TRUE(WIFEXITED(*status_));
  EXPECT_EQ(WEXITSTATUS(*status_), 7);
  EXPECT_EQ(exits_, 1);
  EXPECT_FALSE(has_children());
}

TEST_F(ChildProcessTest, GivesAllOutputBeforeTheExit) {
  // More than a pipe holds, so that some is still in it when the child ends.
  const auto child =
      shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done");
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(output_.size(), 3000U * 41U);
}

TEST_F(ChildProcessTest, ReadsWhatAnEndedChildLeftInItsPipes) {
  const auto child = shell("head -c 60000 /dev/zero; head -c 50000 /dev/zero >&2");
  // It ends before the loop has looked at anything.
  siginfo_t end{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child->process_id()), &end, WEXITED | WNOWAIT), 0);
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(output_.size(), 60'000U);
  EXPECT_EQ(errors_.size(), 50'000U);
}

TEST_F(ChildProcessTest, SaysWhenThereIsNoSuchProgram) {
  const auto child = ChildProcess::start(loop_, {.arguments = {"no-such-program-here"}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind(), ErrorKind::NotPresent);
  EXPECT_NE(child.error().sentence().find("no-such-program-here"), std::string::npos);
  EXPECT_FALSE(has_children());
}

TEST_F(ChildProcessTest, SaysWhenItMayNotBeRun) {
  const TemporaryDirectory directory;
  directory.write("program", "not executable");
  const auto child = ChildProcess::start(loop_, {.arguments = {directory.file("program")}});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().kind(), ErrorKind::Denied);
}

TEST_F(ChildProcessTest, NeedsAProgram) {
  EXPECT_EQ(ChildProcess::start(loop_, {}).error().kind(), ErrorKind::Bug);
}

TEST_F(ChildProcessTest, AddsToTheEnvironmentAndReplaces) {
  ::setenv("FIELDPOST_KEPT", "kept", 1);
  ::setenv("FIELDPOST_REPLACED", "old", 1);
  const auto child = shell("echo $FIELDPOST_KEPT $FIELDPOST_REPLACED $FIELDPOST_ADDED",
                           {"FIELDPOST_REPLACED=new", "FIELDPOST_ADDED=added"});
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(output_, "kept new added\n");
}

TEST_F(ChildProcessTest, HasNoInputAndNoneOfOurDescriptors) {
  const int careless = ::dup(0);  // as a library's that is not close-on-exec
  const auto other = shell("sleep 1000");
  const auto child = shell("cat; exec ls /proc/self/fd");
  ASSERT_TRUE(wait_for_exit());
  ::close(careless);
  EXPECT_EQ(output_, "0\n1\n2\n3\n");  // 3 is the directory that ls lists
}

TEST_F(ChildProcessTest, StartsWithOrdinarySignals) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const auto child = shell("kill -PIPE $$; echo survived");
  ASSERT_TRUE(wait_for_exit());
  std::signal(SIGPIPE, before);
  EXPECT_EQ(output_, "");
  ASSERT_TRUE(WIFSIGNALED(*status_));
  EXPECT_EQ(WTERMSIG(*status_), SIGPIPE);
}

TEST_F(ChildProcessTest, ReportsAKilledChild) {
  const auto child = shell("echo up; while :; do read x || :; done");
  ASSERT_TRUE(loop_.run_until([this] { return output_ == "up\n"; }));
  EXPECT_TRUE(runs(child->process_id()));
  child->send_signal(SIGKILL);
  ASSERT_TRUE(wait_for_exit());
  ASSERT_TRUE(WIFSIGNALED(*status_));
  EXPECT_EQ(WTERMSIG(*status_), SIGKILL);
  EXPECT_FALSE(has_children());
  child->send_signal(SIGTERM);  // after the end: harmless
}

TEST_F(ChildProcessTest, ItsEndKillsTheWholeGroupAndReaps) {
  auto child = shell("sh -c 'echo $$; exec sleep 1000' & echo $!; wait");
  ASSERT_TRUE(loop_.run_until([this] { return std::count(output_.begin(), output_.end(), '\n') == 2; }));
  const pid_t grandchild = std::stoi(output_);
  const pid_t direct = child->process_id();
  ASSERT_TRUE(runs(grandchild));
  child.reset();
  EXPECT_FALSE(has_children());
  EXPECT_FALSE(runs(direct));
  // The grandchild was killed; whoever adopted it reaps it soon. Its pipe end is gone, in any case.
  loop_.run_ready();
  EXPECT_FALSE(status_.has_value());  // on_exit is not called any more
}

TEST_F(ChildProcessTest, AGrandchildThatKeepsThePipeIsKilledAndDoesNotKeepTheExit) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // orphans become ours, so that their end can be seen
  const auto child = shell("sleep 20 & echo $!; exit 3");
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(WEXITSTATUS(*status_), 3);
  int status = 0;
  ASSERT_EQ(::waitpid(std::stoi(output_), &status, 0), std::stoi(output_));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(ChildProcessTest, MayBeDestroyedByItsOwnCallbacks) {
  for (const bool at_exit : {false, true}) {
    std::unique_ptr<ChildProcess> child;
    bool called = false;
    const auto destroy = [&] {
      called = true;
      child.reset();
    };
    child = ChildProcess::start(loop_, {.arguments = {"sh", "-c", "echo x; echo y >&2"},
                                        .on_output =
                                            [&](std::string_view) {
                                              if (!at_exit) destroy();
                                            },
                                        .on_exit =
                                            [&](int) {
                                              if (at_exit) destroy();
                                            }})
                .value();
    ASSERT_TRUE(loop_.run_until([&] { return called; }));
    EXPECT_EQ(child, nullptr);
    EXPECT_EQ(loop_.watches(), 0U);
  }
  EXPECT_FALSE(has_children());
}

TEST_F(ChildProcessTest, LeaksNoDescriptor) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    status_.reset();
    const auto child = shell("exit 0");
    ASSERT_TRUE(wait_for_exit());
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(ChildProcess::start(loop_, {.arguments = {"no-such-program-here"}}));
    const auto killed = shell("sleep 1000");
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(loop_.watches(), 0U);
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace fieldpost
