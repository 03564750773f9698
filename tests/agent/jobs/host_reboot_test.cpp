// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct HostRebootTest : OperationWorld {
  void SetUp() override { options.reboot_command = {"/bin/sh", "-c", "echo once >> " + directory.file("reboots")}; }
  bool asked() { return loop.run_until([this] { return directory.exists("reboots"); }); }
};

TEST_F(HostRebootTest, SucceedsOnceTheBootIsAnother) {
  make(&make_host_reboot);
  operation->begin(*this, {});
  EXPECT_TRUE(asked());
  EXPECT_EQ(saved, std::vector<int>{1});
  EXPECT_FALSE(ended);
  const BootId before = clock.boot_id();
  clock.set_boot_id("00000000-0000-4000-8000-000000000002");
  make(&make_host_reboot);
  operation->begin(*this, {1, "", before});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
}

TEST_F(HostRebootTest, AsksAgainIfItWasCutOffBeforeButNotForEver) {
  make(&make_host_reboot);
  operation->begin(*this, {1, "", clock.boot_id()});
  EXPECT_TRUE(asked());
  EXPECT_EQ(saved, std::vector<int>{2});
  make(&make_host_reboot);
  operation->begin(*this, {3, "", clock.boot_id()});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("reason"), "the host did not reboot, asked 3 times");
}

TEST_F(HostRebootTest, ACommandThatFailsFailsTheJobWithItsWords) {
  options.reboot_command = {"/bin/sh", "-c", "echo not allowed >&2; exit 1"};
  make(&make_host_reboot);
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("stderr"), "not allowed\n");
}

TEST_F(HostRebootTest, AHostThatGoesOnFailsTheJob) {
  make(&make_host_reboot);
  operation->begin(*this, {});
  EXPECT_TRUE(asked());
  loop.advance(std::chrono::minutes{10});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(HostRebootTest, ACommandThatIsNotThereFailsTheJob) {
  options.reboot_command = {"/nowhere/reboot"};
  make(&make_host_reboot);
  run();
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(HostRebootTest, WithoutACommandNoJobMayReboot) {
  options.reboot_command = {};
  document.emplace(*Json::parse("{}"));
  EXPECT_FALSE(make_host_reboot(around, {*document, job, 1}));
}

}  // namespace
}  // namespace fieldpost
