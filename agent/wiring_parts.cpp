// SPDX-License-Identifier: Apache-2.0
// Pure copying: which number of which stage is which figure.
#include "agent/wiring_parts.hpp"

#include <algorithm>

#include "agent/build_facts.hpp"
#include "agent/self/process_figures.hpp"
#include "agent/self/self_metrics.hpp"

namespace fieldpost {
namespace {

struct Reason {
  std::string_view stage;
  std::string_view reason;
  std::uint64_t count;
};

/// Samples that went no further because something was wrong with them.
std::vector<Reason> drops(const Stages& stages) {
  const FilterCounts& filter = stages.filter.counts();
  const AggregateCounts& aggregate = stages.aggregate.counts();
  std::uint64_t lost = 0;
  for (const SourceStatus& source : stages.schedule.status()) lost += source.samples_lost;
  return {{"sampling", "too_many", lost},
          {"filter", "not_finite", filter.not_finite},
          {"filter", "out_of_range", filter.out_of_range},
          {"filter", "series_full", filter.series_full},
          {"aggregate", "late", aggregate.late},
          {"aggregate", "window_not_finite", aggregate.not_finite}};
}

/// Samples that went no further because the configuration says so.
std::vector<Reason> withheld(const Stages& stages) {
  const FilterCounts& filter = stages.filter.counts();
  return {{"filter", "drop", filter.unwanted},
          {"filter", "deadband", filter.deadband},
          {"filter", "interval_min", filter.interval},
          {"filter", "rate_replaces", filter.replaced}};
}

std::vector<Label> label(std::string_view name, std::string_view value) {
  return {{std::string{name}, std::string{value}}};
}

void add_source_figures(std::vector<SelfFigure>& figures, const SourceSchedule& schedule) {
  for (const SourceStatus& source : schedule.status()) {
    const auto labels = label("source", source.instance);
    // Absent from the start and never asked for: not down, just not here.
    if (source.state == SourceState::absent && source.reads == 0 && source.failures == 0) continue;
    figures.push_back({&self::kSourceUp, source.state == SourceState::working ? 1 : 0, labels});
    figures.push_back({&self::kSourceReads, source.reads, labels});
    figures.push_back({&self::kSourceFailures, source.failures, labels});
    figures.push_back({&self::kSourceSkipped, source.skipped, labels});
    figures.push_back(
        {&self::kSourceSeconds, static_cast<double>(source.cost.count()) / 1e9, labels});
  }
}

void add_store_figures(std::vector<SelfFigure>& figures, const StoreStatus& store) {
  figures.push_back({&self::kDiskOk, store.disk_ok ? 1 : 0});
  figures.push_back({&self::kOutboxBytes, store.file_bytes});
  figures.push_back({&self::kDurable, store.durable_readings});
  figures.push_back({&self::kAcknowledged, store.acknowledged_readings});
  figures.push_back({&self::kCommits, store.commits});
  figures.push_back({&self::kWritten, store.written_bytes});
  figures.push_back({&self::kFlushInterval, static_cast<double>(store.flush_interval.count()) / 1e9});
  figures.push_back({&self::kThinned, store.thinned_readings});
  figures.push_back({&self::kDurableDelay, static_cast<double>(store.durable_delay.count()) / 1e9});
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    const auto labels = label("lane", to_string(kLanes[i]));
    figures.push_back({&self::kWaiting, store.waiting_readings[i], labels});
    figures.push_back({&self::kReadingsDropped, store.dropped_readings[i], labels});
  }
}

void add_link_figures(std::vector<SelfFigure>& figures, const LinkStatus& link) {
  figures.push_back({&self::kConnected, link.state == LinkState::connected ? 1 : 0});
  figures.push_back({&self::kConnects, link.connects});
  figures.push_back({&self::kConnectFailures, link.failures});
  figures.push_back({&self::kSent, link.bytes_sent});
  figures.push_back({&self::kReceived, link.bytes_received});
}

void add_job_figures(std::vector<SelfFigure>& figures, const JobEngine::Status& jobs) {
  figures.push_back({&self::kJobActive, jobs.job.empty() ? 0 : 1});
  for (const JobStatus status : {JobStatus::succeeded, JobStatus::failed, JobStatus::rejected, JobStatus::canceled, JobStatus::timed_out}) {
    figures.push_back({&self::kJobsEnded, jobs.ended[static_cast<std::size_t>(status)], label("status", to_string(status))});
  }
}

void add_sync_figures(std::vector<SelfFigure>& figures, const SyncStatus& sync) {
  figures.push_back({&self::kMessagesSent, sync.messages_sent});
  figures.push_back({&self::kMessagesFailed, sync.messages_failed});
  figures.push_back({&self::kMessagesGivenUp, sync.messages_given_up});
}

void fill_sync(StatusDocument::Sync& document, const SyncStatus& sync) {
  document.messages_sent = sync.messages_sent;
  document.messages_acknowledged = sync.messages_acknowledged;
  document.messages_failed = sync.messages_failed;
  document.messages_given_up = sync.messages_given_up;
  document.in_flight = sync.in_flight;
  document.day_bytes_max = sync.day_bytes_max;
  document.day_bytes = sync.day_bytes;
  document.day_resets_in = sync.day_resets_in;
  document.last_error = sync.last_error;
}

}  // namespace

Lane StoreSink::lane_of(SeriesId id) {
  while (lanes_.size() <= index(id)) {
    const SeriesId next{static_cast<std::uint32_t>(lanes_.size())};
    lanes_.push_back(policies_.of(series_[next]).lane);
  }
  return lanes_[index(id)];
}

SyncOptions sync_options(const Configuration& configuration) {
  SyncOptions options{.device = configuration.device_name,
                      .topic_prefix = configuration.topic_prefix,
                      .limits = configuration.byte_limits,
                      .budget_file = configuration.state_directory + "/byte_budget.json",
                      .payload = configuration.payload,
                      .sparkplug = configuration.sparkplug};
  if (configuration.cloud.profile == CloudOptions::Profile::plain) return options;
  // What is over is for jobs, states and the link's own packets: they go over the same connection.
  constexpr double kReadingsShare = 0.8;
  const CloudLimits& limits = limits_of(configuration.cloud.profile);
  options.limits.messages_per_second = limits.publishes_per_second_max * kReadingsShare;
  const auto rate = static_cast<std::int64_t>(static_cast<double>(limits.bytes_per_second_max) * kReadingsShare);
  if (rate > 0 && (options.limits.per_second == 0 || options.limits.per_second > rate)) options.limits.per_second = rate;
  options.message_bytes_max = std::min(options.message_bytes_max, limits.message_bytes_max);
  options.topic = [&configuration](std::string_view lane, std::string_view content_type) {
    return lane_topic(configuration.cloud, configuration.topic_prefix, configuration.device_name, lane, content_type);
  };
  return options;
}

std::vector<SelfFigure> self_figures(const Stages& stages, BootTime started) {
  std::vector<SelfFigure> figures;
  figures.push_back({&self::kBuild, 1, label("version", build_facts::kVersion)});
  figures.push_back(
      {&self::kStarted, static_cast<double>(started.time_since_epoch().count()) / 1e9});
  figures.push_back({&self::kSeries, stages.series.size()});
  figures.push_back({&self::kAlarms, stages.rules.active()});
  figures.push_back({&self::kSamplesRead, stages.schedule.samples_read()});
  for (const Reason& drop : drops(stages)) {
    figures.push_back({&self::kSamplesDropped, drop.count, label("reason", drop.reason)});
  }
  for (const Reason& drop : withheld(stages)) {
    figures.push_back({&self::kSamplesWithheld, drop.count, label("reason", drop.reason)});
  }
  figures.push_back({&self::kSummaries, stages.aggregate.counts().summaries});
  figures.push_back({&self::kEvents, stages.rules.counts().events});
  add_store_figures(figures, stages.store.status());
  if (stages.link != nullptr) add_link_figures(figures, stages.link->status());
  if (stages.certificate) {
    const auto end = std::chrono::floor<seconds>(stages.certificate->not_after).time_since_epoch();
    figures.push_back({&self::kCertificateEnd, static_cast<std::int64_t>(end.count())});
  }
  if (stages.sync != nullptr) add_sync_figures(figures, stages.sync->status());
  if (stages.jobs != nullptr) add_job_figures(figures, *stages.jobs);
  // What cannot be read is left out; the next time will tell.
  if (const auto process = read_process_figures(FileTree{})) {
    figures.push_back({&self::kCpu, process->cpu_seconds});
    figures.push_back({&self::kResident, process->resident_bytes});
    figures.push_back({&self::kDescriptors, process->open_descriptors});
  }
  add_source_figures(figures, stages.schedule);
  return figures;
}

void fill_status(StatusDocument& document, const Stages& stages, BootTime now) {
  document.series = stages.series.size();
  document.alarms = stages.rules.active();
  document.store = stages.store.status();
  for (const SourceStatus& source : stages.schedule.status()) {
    StatusDocument::Source& row = document.sources.emplace_back();
    row.name = source.instance;
    row.driver = source.driver;
    row.state = to_string(source.state);
    row.interval = source.interval;
    if (source.reads > 0) row.last_read_ago = now - source.last_read;
    row.last_cost = source.last_cost;
    row.cost = source.cost;
    row.reads = source.reads;
    row.failures = source.failures;
    row.skipped = source.skipped;
    row.samples = source.samples;
    row.last_error = source.last_error;
  }
  for (const auto& reasons : {drops(stages), withheld(stages)}) {
    for (const Reason& drop : reasons) {
      document.drops.push_back({std::string{drop.stage}, std::string{drop.reason}, drop.count});
    }
  }
  if (stages.sync != nullptr) fill_sync(document.sync, stages.sync->status());
  if (stages.link == nullptr) return;
  const LinkStatus link = stages.link->status();
  document.link.configured = true;
  document.link.state = to_string(link.state);
  document.link.peer = link.peer;
  document.link.tls = link.tls;
  document.link.last_error = link.last_error;
  document.link.state_for = now - link.since;
  if (link.next_attempt) document.link.next_attempt_in = *link.next_attempt - now;
  document.link.connects = link.connects;
  document.link.failures = link.failures;
  document.link.bytes_sent = link.bytes_sent;
  document.link.bytes_received = link.bytes_received;
}

}  // namespace fieldpost
