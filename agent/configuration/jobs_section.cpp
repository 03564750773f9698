// SPDX-License-Identifier: Apache-2.0
#include "agent/configuration/jobs_section.hpp"

namespace fieldpost {

void read_jobs(const SectionReader& jobs, Configuration& configuration) {
  JobOptions& options = configuration.jobs;
  options.enabled = jobs.present() && jobs.boolean("enabled");
  options.device = configuration.device_name;
  options.handlers_directory = jobs.path("handlers_directory");
  options.commands = jobs.texts("commands");
  if (jobs.given("repeated_handlers")) options.repeated_handlers = jobs.texts("repeated_handlers");
  if (jobs.given("reboot_command")) options.reboot_command = jobs.texts("reboot_command");
  options.command_timeout = jobs.duration("command_timeout");
  options.step_timeout = std::chrono::duration_cast<seconds>(jobs.duration("step_timeout"));
  options.waiting_is_told = jobs.boolean("tell_waiting");
  options.bytes_per_day_max = jobs.size("bytes_per_day_max");
  const auto days = jobs.texts("window_days");
  const auto hours = maintenance_window(jobs.text("window"), {}, false);
  if (!hours) jobs.error_at("window", "\"window\" in [jobs]: " + hours.error().sentence());
  auto window = maintenance_window(hours ? jobs.text("window") : "", days, jobs.text("window_clock") == "local");
  if (window) {
    options.window = *window;
  } else {
    jobs.error_at("window_days", "\"window_days\" in [jobs]: " + window.error().sentence());
  }
  if (!options.enabled) return;
  if (!configuration.has_broker) {
    jobs.error_at("enabled", "[jobs] needs [broker]: jobs come from there");
  } else if (!limits_of(configuration.cloud.profile).topics_free) {
    jobs.error_at("enabled", "[jobs]: " + std::string{limits_of(configuration.cloud.profile).service} +
                                 " has no jobs for devices; leave the section out");
  }
}

}  // namespace fieldpost
