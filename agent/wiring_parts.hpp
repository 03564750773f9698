// SPDX-License-Identifier: Apache-2.0
// The small joints between stages: into the store by lane, and what the stages know of themselves as
// the figures of the agent's own series and as the status document.
#pragma once

#include <optional>
#include <vector>

#include "agent/aggregate/aggregate.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/configuration/series_policy.hpp"
#include "agent/filter/filter.hpp"
#include "agent/identity/device_certificate.hpp"
#include "agent/jobs/job_engine.hpp"
#include "agent/link/link.hpp"
#include "agent/local/status_document.hpp"
#include "agent/rules/rules.hpp"
#include "agent/sampling/source_schedule.hpp"
#include "agent/self/self_source.hpp"
#include "agent/store/store.hpp"
#include "agent/sync/sync.hpp"

namespace fieldpost {

/// End of the push side: readings into the lane that the configuration says, events into the store.
class StoreSink final : public ReadingSink, public EventSink {
 public:
  /// All lent, all outlive the sink.
  StoreSink(Store& store, const SeriesTable& series, const SeriesPolicies& policies)
      : store_{store}, series_{series}, policies_{policies} {}

  void accept(const Sample& sample) override { store_.add(lane_of(sample.series), sample); }
  void accept(const Summary& summary) override { store_.add(lane_of(summary.series), summary); }
  void accept(const Event& event) override { store_.add(event); }

 private:
  Lane lane_of(SeriesId id);

  Store& store_;
  const SeriesTable& series_;
  const SeriesPolicies& policies_;
  std::vector<Lane> lanes_;  ///< by series, in order of id
};

/// What the configuration and the cloud's profile say together. `configuration` is lent and outlives them.
SyncOptions sync_options(const Configuration& configuration);

/// Lent views of every stage that has something to tell. `link` and `sync` are null without a [broker].
struct Stages {
  const SourceSchedule& schedule;
  const SeriesTable& series;
  const Filter& filter;
  const Aggregate& aggregate;
  const Rules& rules;
  const Store& store;
  const Link* link;
  const Sync* sync;
  std::optional<DeviceCertificate> certificate = {};  ///< the device's own, if it is known
  const JobEngine::Status* jobs = nullptr;              ///< null without [jobs]
};

/// Values of all of self_metrics.hpp.
std::vector<SelfFigure> self_figures(const Stages& stages, BootTime started);

/// The parts of the status document that come from the stages.
void fill_status(StatusDocument& document, const Stages& stages, BootTime now);

}  // namespace fieldpost
