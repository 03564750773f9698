// SPDX-License-Identifier: Apache-2.0
#include "agent/wiring_cloud.hpp"

#include <utility>

#include "agent/build_facts.hpp"

namespace fieldpost {
namespace {

using Profile = CloudOptions::Profile;

std::string link_ailment(const Link& link) {
  if (link.connected()) return {};
  const std::string why = link.status().last_error;
  return "the link is not up" + (why.empty() ? std::string{} : ": " + why);
}

/// Without the agent's own, which works whatever happens.
std::vector<WiredConfiguration::Health::Source> sources_of(const SourceSchedule& schedule) {
  std::vector<WiredConfiguration::Health::Source> sources;
  for (const SourceStatus& each : schedule.status()) {
    if (each.instance != "self") sources.push_back({each.instance, each.state == SourceState::working});
  }
  return sources;
}

}  // namespace

WiredCloud::WiredCloud(EventLoop& loop, Log& log, const Configuration& configuration, Link& link, const SourceSchedule& schedule,
                       ConfigurationChanges changes, std::function<bool()> may_begin_anew, std::function<std::string()> status) {
  if (changes) {
    changes_.emplace(loop, log, std::move(changes),
                     WiredConfiguration::Health{[&link] { return link_ailment(link); }, [&schedule] { return sources_of(schedule); },
                                                std::move(may_begin_anew)},
                     configuration.cloud.confirm_within);
    desired_.emplace(loop, log, link, *changes_, configuration.cloud,
                     DesiredState::Names{configuration.topic_prefix, configuration.device_name, std::string{build_facts::kVersion}});
  }
  if (configuration.cloud.defender) defender_.emplace(loop, log, link, configuration.device_name, configuration.cloud.defender_interval);
  if (configuration.cloud.profile != Profile::azure) return;
  std::vector<AzureMethods::Method> methods{{"status", [status = std::move(status)](std::string_view) { return AzureMethods::Answer{200, status()}; }}};
  if (desired_) methods.push_back({"configuration", [this](std::string_view) { return AzureMethods::Answer{200, desired_->truth()}; }});
  methods_.emplace(log, link, configuration.device_name, std::move(methods));
}

void WiredCloud::start() {
  if (changes_) changes_->start();
  if (desired_) desired_->start();
  if (methods_) methods_->start();
  if (defender_) defender_->start();
}

}  // namespace fieldpost
