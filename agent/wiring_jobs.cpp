// SPDX-License-Identifier: Apache-2.0
#include "agent/wiring_jobs.hpp"

#include <csignal>
#include <span>

#include "agent/jobs/job_table.hpp"
#include "agent/store/compression.hpp"

namespace fieldpost {

namespace {

std::optional<std::string> compressed(std::string_view text) {
  const auto bytes = compress(std::as_bytes(std::span{text}));
  if (!bytes) return std::nullopt;
  return std::string{reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

}  // namespace

WiredJobs::WiredJobs(EventLoop& loop, Log& log, const Configuration& configuration, Link& link, WiredIdentity& identity,
                     RemoteConfiguration* changes, std::function<std::string()> status)
    : around_{.loop = loop,
              .log = log,
              .options = configuration.jobs,
              // The same way as an operator's reload: what is right there is right here.
              .restart = [] { ::raise(SIGHUP); },
              .renew = [&identity](std::function<void(Result<void>)> done) { identity.renew_now(std::move(done)); },
              .certificate_serial = [&identity] { return identity.certificate() ? identity.certificate()->serial : std::string{}; },
              .configuration = changes,
              .link = &link,
              .diagnostics_topic = configuration.topic_prefix + "/" + configuration.device_name + "/diagnostics",
              .status = std::move(status),
              .configuration_files = configuration.files,
              .compress = &compressed},
      channel_{loop, log, link, thing_place(configuration.cloud, configuration.topic_prefix, configuration.device_name) + "/jobs"},
      file_{loop, configuration.state_directory + "/jobs"},
      engine_{channel_, file_, around_, job_table()} {}

bool WiredJobs::may_begin_anew() const {
  using State = JobEngine::State;
  const JobEngine::Status& status = engine_.status();
  // Until the end is recorded; and the one that waits for just this change is none to wait for.
  const bool runs = status.state == State::working || status.state == State::revoked || status.state == State::ending;
  return !runs || status.operation == "configuration.apply";
}

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
