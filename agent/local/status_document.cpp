// SPDX-License-Identifier: Apache-2.0
// Names here are an interface: scripts read them. Only add.
#include "agent/local/status_document.hpp"

#include "platform/json.hpp"

namespace fieldpost {
namespace {

double in_seconds(nanoseconds duration) { return static_cast<double>(duration.count()) / 1e9; }

void write_link(JsonWriter& json, const StatusDocument::Link& link) {
  json.key("link").begin_object();
  json.member("configured", link.configured)
      .member("url", link.url)
      .member("state", link.state)
      .member("state_for_seconds", in_seconds(link.state_for))
      .member("peer", link.peer)
      .member("tls", link.tls)
      .member("last_error", link.last_error);
  json.key("next_attempt_in_seconds");
  if (link.next_attempt_in) {
    json.value(in_seconds(*link.next_attempt_in));
  } else {
    json.null();
  }
  json.member("connects", link.connects)
      .member("failures", link.failures)
      .member("bytes_sent", link.bytes_sent)
      .member("bytes_received", link.bytes_received);
  json.end_object();
}

void write_identity(JsonWriter& json, const StatusDocument::Identity& identity) {
  json.key("identity").begin_object();
  if (!identity.subject.empty()) {
    json.member("subject", identity.subject)
        .member("not_after", to_rfc3339(identity.not_after))
        .member("age", identity.age);
  }
  json.member("renewal", identity.renewal).member("last_error", identity.last_error).member("renewals", identity.renewals);
  json.end_object();
}

void write_jobs(JsonWriter& json, const StatusDocument::Jobs& jobs) {
  json.key("jobs").begin_object();
  json.member("state", jobs.state).member("job", jobs.job).member("operation", jobs.operation);
  json.member("waits_for", jobs.waits_for).member("last_error", jobs.last_error).key("past").begin_array();
  for (const StatusDocument::Jobs::Past& past : jobs.past) {
    json.begin_object().member("job", past.job).member("status", past.status).member("reason", past.reason);
    json.member("ended", past.ended).end_object();
  }
  json.end_array().end_object();
}

void write_sync(JsonWriter& json, const StatusDocument::Sync& sync) {
  json.key("sync").begin_object();
  json.member("messages_sent", sync.messages_sent)
      .member("messages_acknowledged", sync.messages_acknowledged)
      .member("messages_failed", sync.messages_failed)
      .member("messages_given_up", sync.messages_given_up)
      .member("in_flight", std::uint64_t{sync.in_flight})
      .member("day_bytes_max", sync.day_bytes_max)
      .member("day_bytes", sync.day_bytes)
      .member("day_resets_in_seconds", in_seconds(sync.day_resets_in));
  json.key("lanes").begin_object();
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    json.key(to_string(kLanes[i])).begin_object().member("last_error", sync.last_error[i]).end_object();
  }
  json.end_object().end_object();
}

void write_store(JsonWriter& json, const StatusDocument& document) {
  const StoreStatus& store = document.store;
  json.key("store").begin_object();
  json.member("disk_ok", store.disk_ok)
      .member("disk_error", store.disk_error)
      .member("epoch", to_text(store.epoch))
      .member("newest_seq", store.newest_seq)
      .member("newest_acknowledged_seq", store.newest_acknowledged_seq)
      .member("file_bytes", store.file_bytes)
      .member("quota_bytes", document.quota_bytes)
      .member("durable_readings", store.durable_readings)
      .member("acknowledged_readings", store.acknowledged_readings)
      .member("commits", store.commits)
      .member("body_bytes", store.body_bytes)
      .member("written_bytes", store.written_bytes)
      .member("flush_interval_seconds", in_seconds(store.flush_interval))
      .member("thinned_readings", store.thinned_readings)
      .member("merged_segments", store.merged_segments)
      .member("salvaging", store.is_salvaging)
      .member("salvaged_segments", store.salvaged_segments)
      .member("memory_readings", store.memory_readings)
      .member("memory_bytes", std::uint64_t{store.memory_bytes});
  json.key("lanes").begin_object();
  for (std::size_t i = 0; i < kLanes.size(); ++i) {
    json.key(to_string(kLanes[i])).begin_object();
    json.member("waiting_segments", store.waiting_segments[i])
        .member("waiting_readings", store.waiting_readings[i])
        .member("dropped_readings", store.dropped_readings[i]);
    json.end_object();
  }
  json.end_object().end_object();
}

void write_source(JsonWriter& json, const StatusDocument::Source& source) {
  json.begin_object();
  json.member("name", source.name)
      .member("driver", source.driver)
      .member("state", source.state)
      .member("interval_seconds", in_seconds(source.interval));
  json.key("last_read_ago_seconds");
  if (source.last_read_ago) {
    json.value(in_seconds(*source.last_read_ago));
  } else {
    json.null();
  }
  json.member("last_cost_seconds", in_seconds(source.last_cost))
      .member("cost_seconds", in_seconds(source.cost))
      .member("reads", source.reads)
      .member("failures", source.failures)
      .member("skipped", source.skipped)
      .member("samples", source.samples)
      .member("last_error", source.last_error);
  json.end_object();
}

}  // namespace

std::string to_json(const StatusDocument& document) {
  JsonWriter json;
  json.begin_object();
  json.member("version", document.version)
      .member("device", document.device)
      .member("process_id", document.process_id)
      .member("uptime_seconds", in_seconds(document.uptime))
      .member("utc", document.utc)
      .member("utc_synchronised", document.utc_synchronised)
      .member("series", std::uint64_t{document.series})
      .member("alarms", std::uint64_t{document.alarms});
  write_link(json, document.link);
  write_identity(json, document.identity);
  if (!document.jobs.state.empty()) write_jobs(json, document.jobs);
  if (!document.desired.empty()) json.key("desired").raw(document.desired);
  write_sync(json, document.sync);
  write_store(json, document);
  json.key("sources").begin_array();
  for (const StatusDocument::Source& source : document.sources) write_source(json, source);
  json.end_array();
  json.key("drops").begin_array();
  for (const StatusDocument::Drop& drop : document.drops) {
    json.begin_object()
        .member("stage", drop.stage)
        .member("reason", drop.reason)
        .member("count", drop.count)
        .end_object();
  }
  json.end_array().end_object();
  return std::move(json).take();
}

}  // namespace fieldpost
