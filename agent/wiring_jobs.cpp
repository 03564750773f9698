// SPDX-License-Identifier: Apache-2.0
#include "agent/wiring_jobs.hpp"

#include <csignal>

#include "agent/jobs/job_table.hpp"

namespace fieldpost {

WiredJobs::WiredJobs(EventLoop& loop, Log& log, const Configuration& configuration, Link& link)
    // The same way as an operator's reload: what is right there is right here.
    : around_{loop, log, configuration.jobs, [] { ::raise(SIGHUP); }},
      channel_{loop, log, link, thing_place(configuration.cloud, configuration.topic_prefix, configuration.device_name) + "/jobs"},
      file_{loop, configuration.state_directory + "/jobs"},
      engine_{channel_, file_, around_, job_table()} {}

StatusDocument::Jobs WiredJobs::document() const {
  const JobEngine::Status& status = engine_.status();
  StatusDocument::Jobs jobs{std::string{to_string(status.state)}, status.job, status.operation, status.waits_for, status.last_error, {}};
  for (const JobRecord::Past& past : engine_.record().past) {
    const JobDetails& details = past.outcome.details;
    jobs.past.push_back({past.job, std::string{to_string(past.outcome.status)}, details.empty() ? "" : details.front().second,
                         to_rfc3339(past.ended)});
  }
  return jobs;
}

}  // namespace fieldpost
