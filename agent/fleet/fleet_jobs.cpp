// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/fleet_jobs.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <utility>

#include "platform/crc32c.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kCleanEvery = 3600;
/// Also of a job of which nothing was heard: a transaction that failed took its progress back.
constexpr std::int64_t kLookEvery = 60;
constexpr std::int64_t kPerMinuteMax = 1000;
constexpr int kFailuresShown = 5;
constexpr int kJobsShown = 500;

// In the order of RolloutOptions, wherever a row of `job` is read.
#define FIELDPOST_ROLLOUT_COLUMNS "per_minute, per_minute_max, increment_percent, increment_after, by_success, abort_hundredths, abort_min"

RolloutOptions rollout_of(const FleetDatabase::Rows& rows, int column) {
  return {rows.integer(column),     rows.integer(column + 1),      rows.integer(column + 2), rows.integer(column + 3),
          rows.integer(column + 4) != 0, rows.integer(column + 5), rows.integer(column + 6)};
}

/// What of these is wrong, in the operator's words.
std::string_view complaint(const FleetJob& job) {
  const RolloutOptions& rollout = job.rollout;
  const bool id_is_right = !job.id.empty() && job.id.size() <= FleetJobs::kIdBytesMax && std::all_of(job.id.begin(), job.id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  if (!id_is_right) return "a job's name has 1 to 64 characters of a-z, A-Z, 0-9, _ and -";
  if (job.document.size() > FleetJobs::kDocumentBytesMax) return "the job document is longer than 32 KiB";
  if (rollout.per_minute < 1 || rollout.per_minute > kPerMinuteMax) return "--rate must be from 1 to 1000 devices a minute";
  if (rollout.per_minute_max < rollout.per_minute || rollout.per_minute_max > kPerMinuteMax) return "--rate-max must be from --rate to 1000";
  if (rollout.increment_percent < 100 || rollout.increment_percent > 500) return "--increment must be from 1 to 5";
  if (rollout.increment_after < 0) return "--increment-after must be a number of devices";
  if (rollout.abort_hundredths < 0 || rollout.abort_hundredths > 10'000) return "--abort-threshold must be from 0.01 to 100 percent";
  if (rollout.abort_min < 1) return "--min-executed must be at least 1";
  if (job.timeout_minutes < 0 || job.timeout_minutes > DeviceJobs::kTimeoutMinutesMax) return "--timeout must be from 1m to 7d";
  if (job.devices.empty()) return "a job needs at least one device";
  return {};
}

}  // namespace

Result<void> FleetJobs::create(const FleetJob& job, std::int64_t now) {
  if (const auto wrong = complaint(job); !wrong.empty()) return Error{ErrorKind::OutOfRange, std::string{wrong}};
  const auto document = Json::parse(job.document);
  if (!document) return document.error().with_context("the job document");
  if (!document->is_object()) return Error{ErrorKind::Malformed, "the job document is not a JSON object"};
  if (database_.ask("SELECT 1 FROM job WHERE id = ?", {job.id}).next()) return Error{ErrorKind::Unavailable, "there is a job \"" + job.id + "\" already"};
  const RolloutOptions& rollout = job.rollout;
  const std::string text = document->text();
  database_.run("INSERT INTO job(id, document, state, created, abort_running, timeout_minutes, " FIELDPOST_ROLLOUT_COLUMNS
                ") VALUES(?, ?, 'IN_PROGRESS', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                {job.id, text, now, job.abort_running, job.timeout_minutes, rollout.per_minute, rollout.per_minute_max, rollout.increment_percent,
                 rollout.increment_after, rollout.increment_by_success, rollout.abort_hundredths, rollout.abort_min});
  for (const std::string& device : job.devices) {
    // Neighbours by name are often neighbours by place or model: the first few shall not all be of one kind. The same
    // job always takes the same order.
    const std::string name = job.id + "/" + device;
    const std::uint32_t place = crc32c(std::as_bytes(std::span{name}));
    database_.run("INSERT INTO execution(device, job, place, status) VALUES(?, ?, ?, 'WAITING')", {device, job.id, place});
  }
  return {};
}

RolloutCounts FleetJobs::counts(const std::string& id) {
  RolloutCounts counts;
  std::array<std::int64_t*, 8> by_state{&counts.waiting,   &counts.queued, &counts.in_progress, &counts.succeeded,
                                        &counts.failed, &counts.rejected, &counts.timed_out,   &counts.canceled};
  auto rows = database_.ask("SELECT status, count(*) FROM execution WHERE job = ? GROUP BY status", {id});
  while (rows.next()) {
    if (const auto state = execution_state(rows.text(0))) *by_state[static_cast<std::size_t>(*state)] = rows.integer(1);
  }
  return counts;
}

void FleetJobs::release(const std::string& id, std::int64_t count, std::int64_t now) {
  std::vector<std::string> told;
  {
    auto rows = database_.ask("SELECT device FROM execution WHERE job = ? AND status = 'WAITING' ORDER BY place LIMIT ?", {id, count});
    while (rows.next()) told.push_back(rows.text(0));
  }
  for (const std::string& device : told) {
    const std::string before = devices_.head(device);
    database_.run("UPDATE execution SET status = 'QUEUED', queued = ?1, updated = ?1 WHERE device = ?2 AND job = ?3", {now, device, id});
    devices_.list_changed(device, before, now);
  }
}

std::int64_t FleetJobs::stop(const std::string& id, std::string_view state, std::string_view reason, bool running, std::int64_t now) {
  std::int64_t canceled = devices_.cancel(id, "WAITING", now) + devices_.cancel(id, "QUEUED", now);
  if (running) canceled += devices_.cancel(id, "IN_PROGRESS", now);
  database_.run("UPDATE job SET state = ?, reason = ?, ended = ? WHERE id = ?", {state, reason, now, id});
  return canceled;
}

void FleetJobs::advance(const std::string& id, const RolloutOptions& rollout, bool abort_running, std::int64_t next_us, std::int64_t now_us) {
  const std::int64_t now = now_us / kSecond;
  const RolloutCounts before = counts(id);
  if (threshold_reached(rollout, before)) {
    std::array<char, 120> reason{};
    std::snprintf(reason.data(), reason.size(), "%.2f %% of %lld finished devices failed, threshold %.2f %%",
                  static_cast<double>(before.bad()) * 100 / static_cast<double>(before.finished()), static_cast<long long>(before.finished()),
                  static_cast<double>(rollout.abort_hundredths) / 100);
    stop(id, "STOPPED", reason.data(), abort_running, now);
  } else if (before.waiting + before.queued + before.in_progress == 0) {
    database_.run("UPDATE job SET state = 'COMPLETED', ended = ? WHERE id = ?", {now, id});
  } else if (before.waiting > 0) {
    const Release due = release_due(rollout, before, next_us, now_us);
    if (due.devices == 0) return;
    release(id, due.devices, now);
    database_.run("UPDATE job SET next_us = ? WHERE id = ?", {due.next_us, id});
  }
}

void FleetJobs::tick(std::int64_t now_us) {
  const std::int64_t now = now_us / kSecond;
  devices_.expire(now);
  struct Active {
    std::string id;
    RolloutOptions rollout;
    bool abort_running;
    std::int64_t next_us;
  };
  std::vector<Active> active;
  {
    // Of a job whose devices were all told, and of which none has moved, nothing need be counted.
    const bool all = devices_.take_moved() || now % kLookEvery == 0;
    auto rows = database_.ask("SELECT id, abort_running, next_us, " FIELDPOST_ROLLOUT_COLUMNS " FROM job WHERE state = 'IN_PROGRESS'"
                              " AND (? OR EXISTS (SELECT 1 FROM execution WHERE job = id AND status = 'WAITING'))", {all});
    while (rows.next()) active.push_back({rows.text(0), rollout_of(rows, 3), rows.integer(1) != 0, rows.integer(2)});
  }
  for (const Active& job : active) advance(job.id, job.rollout, job.abort_running, job.next_us, now_us);
  if (now - cleaned_ < kCleanEvery && now >= cleaned_) return;
  cleaned_ = now;
  // A device that has never come to its end keeps nothing: its report would be about a job that nobody remembers.
  database_.run("DELETE FROM execution WHERE job IN (SELECT id FROM job WHERE ended < ?)", {now - kKeptSeconds});
  database_.run("DELETE FROM job WHERE ended < ?", {now - kKeptSeconds});
}

Result<std::int64_t> FleetJobs::cancel(const std::string& id, bool running, std::int64_t now) {
  auto rows = database_.ask("SELECT state, reason FROM job WHERE id = ?", {id});
  if (!rows.next()) return Error{ErrorKind::NotPresent, "there is no job \"" + id + "\""};
  const std::string state = rows.text(0);
  // Of one that was stopped devices may still be at work.
  if (state == "COMPLETED" || (state != "IN_PROGRESS" && !running)) return Error{ErrorKind::Unavailable, "the job is " + state + " already"};
  const std::string reason = state == "STOPPED" ? rows.text(1) : "by the operator";
  return stop(id, state == "STOPPED" ? state : "CANCELED", reason, running, now);
}

void FleetJobs::write_list(JsonWriter& json) {
  auto rows = database_.ask(
      "SELECT id AS job, state AS state, created AS created, ended AS ended,"
      " (SELECT count(*) FROM execution WHERE job = id) AS devices,"
      " (SELECT count(*) FROM execution WHERE job = id AND status = 'SUCCEEDED') AS succeeded,"
      " (SELECT count(*) FROM execution WHERE job = id AND status IN ('FAILED', 'REJECTED', 'TIMED_OUT')) AS failed, reason AS reason"
      " FROM job ORDER BY created DESC, id DESC LIMIT ?",
      {kJobsShown});
  rows.write_all(json);
}

bool FleetJobs::write(JsonWriter& json, const std::string& id) {
  auto rows = database_.ask("SELECT id AS job, state AS state, reason AS reason, created AS created, ended AS ended, timeout_minutes AS timeoutMinutes,"
                            " document AS [document{}], " FIELDPOST_ROLLOUT_COLUMNS " FROM job WHERE id = ?", {id});
  if (!rows.next()) return false;
  rows.write(json);
  const RolloutCounts count = counts(id);
  const RolloutOptions rollout = rollout_of(rows, 7);
  json.member("rate", rollout_rate(rollout, count));
  json.key("counts").begin_object();
  json.member("waiting", count.waiting).member("queued", count.queued).member("in_progress", count.in_progress);
  json.member("succeeded", count.succeeded).member("failed", count.failed).member("rejected", count.rejected);
  json.member("timed_out", count.timed_out).member("canceled", count.canceled).end_object();
  // Nothing more will happen by itself.
  const bool is_over = rows.text(1) != "IN_PROGRESS" && count.in_progress == 0;
  json.member("over", is_over);
  auto failures = database_.ask(
      "SELECT device AS device, status AS status, updated AS updated, details AS [details{}] FROM execution WHERE job = ?"
      " AND status IN ('FAILED', 'REJECTED', 'TIMED_OUT') ORDER BY updated DESC, device LIMIT ?",
      {id, kFailuresShown});
  json.key("failures");
  failures.write_all(json);
  return true;
}

#undef FIELDPOST_ROLLOUT_COLUMNS

}  // namespace fieldpost
