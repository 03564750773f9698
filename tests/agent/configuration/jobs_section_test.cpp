// SPDX-License-Identifier: Apache-2.0
#include "agent/configuration/jobs_section.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

using Lines = std::vector<std::string>;

ConfigurationResult read(const std::string& text) {
  return read_configuration(text, {.file_name = "gw.toml",
                                   .directory = "/etc/fieldpost",
                                   .host_name = "gw17",
                                   .drivers = driver_table(),
                                   .files_are_checked = false});
}

ConfigurationResult with(const std::string& keys) { return read("[broker]\nurl = \"mqtts://b\"\n[jobs]\n" + keys); }

Lines errors_of(const ConfigurationResult& result) {
  Lines lines;
  for (const Problem& problem : result.problems) {
    if (problem.severity == Problem::Severity::error) lines.push_back(to_text(problem));
  }
  return lines;
}

TEST(JobsSection, WithoutItThereAreNoJobs) {
  EXPECT_FALSE(read("[broker]\nurl = \"mqtts://b\"\n").configuration.jobs.enabled);
  EXPECT_FALSE(with("enabled = false\n").configuration.jobs.enabled);
}

TEST(JobsSection, ByDefaultHandlersMayRunAtAnyTimeAndNothingElse) {
  const auto result = with("");
  EXPECT_TRUE(result.ok());
  const JobOptions& jobs = result.configuration.jobs;
  EXPECT_TRUE(jobs.enabled);
  EXPECT_EQ(jobs.device, "gw17");
  EXPECT_EQ(jobs.handlers_directory, "/etc/fieldpost/handlers");
  EXPECT_TRUE(jobs.commands.empty());
  EXPECT_EQ(jobs.repeated_handlers, Lines{"reboot.sh"});
  EXPECT_EQ(jobs.reboot_command, Lines{"/sbin/reboot"});
  EXPECT_EQ(jobs.window, MaintenanceWindow{});
  EXPECT_EQ(jobs.step_timeout, seconds{600});
  EXPECT_EQ(jobs.bytes_per_day_max, 16 << 20);
}

TEST(JobsSection, TakesEveryKey) {
  const auto result = with(
      "handlers_directory = \"/opt/handlers\"\ncommands = [\"systemctl\"]\ncommand_timeout = \"5m\"\nstep_timeout = \"20m\"\n"
      "repeated_handlers = []\nreboot_command = []\nwindow = \"22:00-05:00\"\nwindow_days = [\"sat\", \"sun\"]\nwindow_clock = \"local\"\n"
      "tell_waiting = true\nbytes_per_day_max = \"1MiB\"\n");
  ASSERT_TRUE(result.ok()) << errors_of(result).front();
  const JobOptions& jobs = result.configuration.jobs;
  EXPECT_EQ(jobs.handlers_directory, "/opt/handlers");
  EXPECT_EQ(jobs.commands, Lines{"systemctl"});
  EXPECT_EQ(jobs.command_timeout, seconds{300});
  EXPECT_TRUE(jobs.repeated_handlers.empty());
  EXPECT_TRUE(jobs.reboot_command.empty());
  EXPECT_EQ(jobs.window, (MaintenanceWindow{22 * 60, 7 * 60, 0x41, true}));
  EXPECT_TRUE(jobs.waiting_is_told);
  EXPECT_EQ(jobs.bytes_per_day_max, 1 << 20);
}

TEST(JobsSection, SaysWhatIsWrongWithAWindow) {
  EXPECT_EQ(errors_of(with("window = \"2-4\"\n")),
            Lines{"gw.toml:4: \"window\" in [jobs]: \"2-4\" is no window such as \"02:00-04:30\""});
  EXPECT_EQ(errors_of(with("window_days = [\"Sunday\"]\n")),
            Lines{"gw.toml:4: \"window_days\" in [jobs]: \"Sunday\" is no day: sun, mon, tue, wed, thu, fri, sat"});
}

TEST(JobsSection, NeedsABrokerThatHasJobs) {
  EXPECT_EQ(errors_of(read("[jobs]\n")).size(), 1U);
  EXPECT_TRUE(read("[jobs]\nenabled = false\n").ok());
  const auto azure = read("[broker]\nurl = \"mqtts://acme.azure-devices.net\"\n[cloud]\nprofile = \"azure\"\n[jobs]\n");
  ASSERT_EQ(errors_of(azure).size(), 1U);
  EXPECT_NE(errors_of(azure)[0].find("has no jobs for devices"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
