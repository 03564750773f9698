// SPDX-License-Identifier: Apache-2.0
// Joins the job engine to the link, the configuration and what jobs may do to the agent.
#pragma once

#include "agent/cloud/mqtt_jobs.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/jobs/job_engine.hpp"
#include "agent/local/status_document.hpp"
#include "agent/wiring_identity.hpp"

namespace fieldpost {

class WiredJobs {
 public:
  /// All lent, all outlive it.
  WiredJobs(EventLoop& loop, Log& log, const Configuration& configuration, Link& link, WiredIdentity& identity,
            RemoteConfiguration* changes, std::function<std::string()> status);

  void start() { engine_.start(); }
  void stop() { engine_.stop(); }
  const JobEngine::Status& status() const { return engine_.status(); }
  /// Nothing runs that a new beginning of the agent would cut off.
  bool may_begin_anew() const;
  StatusDocument::Jobs document() const;

 private:
  JobSurroundings around_;
  MqttJobs channel_;
  JobFile file_;
  JobEngine engine_;
};

}  // namespace fieldpost
