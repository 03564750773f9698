// SPDX-License-Identifier: Apache-2.0
// Facts: AWS IoT Jobs, the device's MQTT interface. Where AWS's pages leave open which of two complaints comes first,
// a final state does: there is nothing left to agree about.
#include "agent/fleet/device_jobs.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "platform/json_member.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kDetailsMax = 10;
constexpr std::size_t kDetailKeyBytesMax = 128;
constexpr std::size_t kDetailValueBytesMax = 1024;
constexpr std::size_t kTokenBytesMax = 64;
constexpr std::int64_t kMinute = 60;

bool is_job_id(std::string_view text, std::string_view others = "_-") {
  return !text.empty() && std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.find(c) != std::string_view::npos;
  });
}

/// What is wrong with it, or nothing.
std::string_view complaint_about_details(const Json& details) {
  if (!details.is_object()) return "statusDetails must be an object";
  const auto keys = details.keys();
  if (keys.size() > kDetailsMax) return "statusDetails has more than 10 pairs";
  for (const std::string& key : keys) {
    if (key.size() > kDetailKeyBytesMax || !is_job_id(key, "_-:")) return "a key of statusDetails is not of [a-zA-Z0-9:_-]{1,128}";
    const auto value = details.at(key)->string();
    if (!value || value->empty() || value->size() > kDetailValueBytesMax) return "a value of statusDetails is not a string of 1 to 1024 characters";
    if (std::any_of(value->begin(), value->end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7F'; })) {
      return "a value of statusDetails has a control character";
    }
  }
  return {};
}

}  // namespace

struct DeviceJobs::Request {
  const std::string& device;
  std::string place;
  Json body;
  std::int64_t now;

  std::optional<std::string> token() const {
    const auto member = body.at("clientToken");
    return member ? member->string() : std::nullopt;
  }
};

void DeviceJobs::accept(const Request& request, JsonWriter& json) {
  json.member("timestamp", request.now);
  if (const auto token = request.token()) json.member("clientToken", *token);
  json.end_object();
  say_(request.device, "jobs/" + request.place + "/accepted", std::move(json).take());
}

void DeviceJobs::reject(const Request& request, std::string_view code, std::string_view message, const std::string* job) {
  JsonWriter json;
  json.begin_object().member("code", code).member("message", message).member("timestamp", request.now);
  if (const auto token = request.token()) json.member("clientToken", *token);
  if (job != nullptr) write_state(json, request.device, *job);
  json.end_object();
  say_(request.device, "jobs/" + request.place + "/rejected", std::move(json).take());
}

void DeviceJobs::write_state(JsonWriter& json, const std::string& device, const std::string& job) {
  auto rows = database_.ask(
      "SELECT status, details AS [statusDetails{}], version AS versionNumber FROM execution WHERE device = ? AND job = ?", {device, job});
  if (!rows.next()) return;
  json.key("executionState").begin_object();
  rows.write(json);
  json.end_object();
}

void DeviceJobs::write_execution(JsonWriter& json, const std::string& device, const std::string& job, bool with_document) {
  auto rows = database_.ask(
      "SELECT e.job AS jobId, e.device AS thingName, e.status AS status, e.details AS [statusDetails{}], e.queued AS queuedAt,"
      " e.started AS startedAt, e.updated AS lastUpdatedAt, e.version AS versionNumber, e.number AS executionNumber,"
      " CASE WHEN ? THEN j.document END AS [jobDocument{}]"
      " FROM execution e JOIN job j ON j.id = e.job WHERE e.device = ? AND e.job = ?",
      {with_document, device, job});
  if (!rows.next()) return;
  json.key("execution").begin_object();
  rows.write(json);
  json.end_object();
}

void DeviceJobs::write_list(JsonWriter& json, const char* key, const std::string& device, std::string_view status) {
  auto rows = database_.ask(
      "SELECT job AS jobId, queued AS queuedAt, started AS startedAt, updated AS lastUpdatedAt, version AS versionNumber,"
      " number AS executionNumber FROM execution WHERE device = ? AND status = ? ORDER BY queued, job LIMIT ?",
      {device, status, kPendingMax});
  json.key(key);
  rows.write_all(json);
}

std::string DeviceJobs::head(const std::string& device) {
  auto rows = database_.ask(
      "SELECT job FROM execution WHERE device = ? AND status IN ('IN_PROGRESS', 'QUEUED')"
      " ORDER BY status, queued, job LIMIT 1",
      {device});
  return rows.next() ? rows.text(0) : std::string{};
}

void DeviceJobs::notify_next(const std::string& device, std::int64_t now) {
  JsonWriter json;
  json.begin_object().member("timestamp", now);
  write_execution(json, device, head(device), false);
  json.end_object();
  say_(device, "jobs/notify-next", std::move(json).take());
}

void DeviceJobs::list_changed(const std::string& device, const std::string& before, std::int64_t now) {
  JsonWriter json;
  json.begin_object().member("timestamp", now).key("jobs").begin_object();
  write_list(json, "IN_PROGRESS", device, "IN_PROGRESS");
  write_list(json, "QUEUED", device, "QUEUED");
  json.end_object().end_object();
  say_(device, "jobs/notify", std::move(json).take());
  if (head(device) != before) notify_next(device, now);
}

void DeviceJobs::receive(const std::string& device, std::string_view place, std::string_view payload, std::int64_t now) {
  const std::size_t slash = place.rfind('/');
  const std::string_view verb = place.substr(slash == std::string_view::npos ? 0 : slash + 1);
  const std::string job{slash == std::string_view::npos ? std::string_view{} : place.substr(0, slash)};
  auto body = Json::parse(payload.empty() || payload.size() > kRequestBytesMax ? "{}" : payload);
  const bool is_object = body && body->is_object();
  const Request request{device, std::string{place}, is_object ? std::move(*body) : *Json::parse("{}"), now};
  if (payload.size() > kRequestBytesMax) return reject(request, "InvalidRequest", "the request is too long");
  if (!is_object) return reject(request, "InvalidJson", "the payload is not a JSON object");
  if (const auto token = request.token(); token && token->size() > kTokenBytesMax) {
    return reject(request, "InvalidRequest", "clientToken is longer than 64 bytes");
  }
  if (job.empty()) {
    if (verb == "get") return list(request);
    if (verb == "start-next") return start_next(request);
    return reject(request, "InvalidTopic", "there is no such operation");
  }
  if (verb == "get") return describe(request, job == "$next" ? head(device) : job);
  update(request, job);
}

void DeviceJobs::list(const Request& request) {
  JsonWriter json;
  json.begin_object();
  write_list(json, "inProgressJobs", request.device, "IN_PROGRESS");
  write_list(json, "queuedJobs", request.device, "QUEUED");
  accept(request, json);
}

void DeviceJobs::start_next(const Request& request) {
  const auto details = request.body.at("statusDetails");
  if (details) {
    if (const auto wrong = complaint_about_details(*details); !wrong.empty()) return reject(request, "InvalidRequest", wrong);
  }
  const auto step = member_integer(request.body, "stepTimeoutInMinutes");
  if (request.body.at("stepTimeoutInMinutes") && (!step || *step < 1 || *step > kTimeoutMinutesMax)) {
    return reject(request, "InvalidRequest", "stepTimeoutInMinutes is not from 1 to 10080");
  }
  const std::string job = head(request.device);
  // One that is IN_PROGRESS is handed back as it is.
  auto rows = database_.ask("SELECT 1 FROM execution WHERE device = ? AND job = ? AND status = 'QUEUED'", {request.device, job});
  if (rows.next()) move(request, job, ExecutionState::in_progress, details ? details->text() : "", step.value_or(0));
  JsonWriter json;
  json.begin_object();
  write_execution(json, request.device, job, true);
  accept(request, json);
}

void DeviceJobs::move(const Request& request, const std::string& job, ExecutionState to, const std::string& details, std::int64_t step) {
  moved_ = true;
  database_.run(
      "UPDATE execution SET status = ?1, version = version + 1, started = coalesce(started, ?2), updated = ?2,"
      " details = CASE WHEN ?3 <> '' THEN ?3 ELSE details END,"
      " limit_at = coalesce(limit_at, (SELECT CASE WHEN timeout_minutes > 0 THEN ?2 + timeout_minutes * 60 END FROM job WHERE id = job))"
      " WHERE device = ?4 AND job = ?5",
      {to_string(to), request.now, details, request.device, job});
  // The step timer never outlives the job's own.
  const std::int64_t step_end = step > 0 ? request.now + step * kMinute : INT64_MAX;
  database_.run(
      "UPDATE execution SET deadline = CASE WHEN ?1 THEN NULL WHEN ?2 = 0 THEN coalesce(deadline, limit_at)"
      " ELSE NULLIF(min(?3, coalesce(limit_at, ?3)), 9223372036854775807) END WHERE device = ?4 AND job = ?5",
      {is_final(to), step, step_end, request.device, job});
}

void DeviceJobs::describe(const Request& request, const std::string& job) {
  JsonWriter json;
  json.begin_object();
  if (!job.empty()) {
    auto rows = database_.ask("SELECT status, number FROM execution WHERE device = ? AND job = ? AND status <> 'WAITING'", {request.device, job});
    const auto wanted = member_integer(request.body, "executionNumber");
    if (!rows.next() || (wanted && *wanted != rows.integer(1))) {
      return reject(request, "ResourceNotFound", "there is no such job for this device");
    }
    if (is_final(execution_state(rows.text(0)).value_or(ExecutionState::waiting))) {
      return reject(request, "TerminalStateReached", "the execution is in a final state");
    }
    write_execution(json, request.device, job, member_flag(request.body, "includeJobDocument", true));
  }
  accept(request, json);
}

void DeviceJobs::update(const Request& request, const std::string& job) {
  const Json& body = request.body;
  const auto to = execution_state(member_text(body, "status"));
  if (!to) return reject(request, "InvalidRequest", "status is missing, or is not one of the states");
  const auto details = body.at("statusDetails");
  if (details) {
    if (const auto wrong = complaint_about_details(*details); !wrong.empty()) return reject(request, "InvalidRequest", wrong);
  }
  const auto step = member_integer(body, "stepTimeoutInMinutes");
  if (body.at("stepTimeoutInMinutes") && (!step || (*step != -1 && *step < 1) || *step > kTimeoutMinutesMax)) {
    return reject(request, "InvalidRequest", "stepTimeoutInMinutes is neither -1 nor from 1 to 10080");
  }
  const auto expected = member_integer(body, "expectedVersion");
  const auto execution_number = member_integer(body, "executionNumber");
  if ((body.at("expectedVersion") && !expected) || (body.at("executionNumber") && !execution_number)) {
    return reject(request, "InvalidRequest", "expectedVersion or executionNumber is not a whole number");
  }
  std::int64_t version = 0;
  std::optional<ExecutionState> from;
  {
    auto rows = database_.ask("SELECT status, version, number FROM execution WHERE device = ? AND job = ? AND status <> 'WAITING'",
                              {request.device, job});
    if (!rows.next() || (execution_number && *execution_number != rows.integer(2))) {
      return reject(request, "ResourceNotFound", "there is no such job for this device");
    }
    from = execution_state(rows.text(0));
    version = rows.integer(1);
  }
  if (!from || !device_may_move(*from, *to)) {
    return reject(request, "InvalidStateTransition", "the execution is " + std::string{to_string(from.value_or(ExecutionState::waiting))}, &job);
  }
  if (expected && *expected != version) {
    return reject(request, "VersionMismatch", "the version is " + std::to_string(version) + ", not " + std::to_string(*expected), &job);
  }
  const std::string before = head(request.device);
  move(request, job, *to, details ? details->text() : "", step.value_or(0));
  JsonWriter json;
  json.begin_object();
  if (member_flag(body, "includeJobExecutionState")) write_state(json, request.device, job);
  if (member_flag(body, "includeJobDocument")) {
    auto rows = database_.ask("SELECT document AS [jobDocument{}] FROM job WHERE id = ?", {job});
    if (rows.next()) rows.write(json);
  }
  accept(request, json);
  if (is_final(*to)) {
    list_changed(request.device, before, request.now);
  } else if (head(request.device) != before) {
    notify_next(request.device, request.now);
  }
}

void DeviceJobs::expire(std::int64_t now) {
  std::vector<std::pair<std::string, std::string>> late;
  {
    auto rows = database_.ask("SELECT device, job FROM execution WHERE deadline IS NOT NULL AND deadline <= ?", {now});
    while (rows.next()) late.emplace_back(rows.text(0), rows.text(1));
  }
  for (const auto& [device, job] : late) {
    moved_ = true;
    const std::string before = head(device);
    database_.run("UPDATE execution SET status = 'TIMED_OUT', version = version + 1, updated = ?, deadline = NULL WHERE device = ? AND job = ?",
                  {now, device, job});
    list_changed(device, before, now);
  }
}

void DeviceJobs::excuse(std::int64_t now) {
  database_.run("UPDATE execution SET deadline = ?1, limit_at = max(limit_at, ?1) WHERE deadline < ?1", {now + kReportSeconds});
}

std::int64_t DeviceJobs::cancel(const std::string& job, std::string_view status, std::int64_t now) {
  std::vector<std::pair<std::string, std::string>> heads;
  if (status != "WAITING") {
    auto rows = database_.ask("SELECT device FROM execution WHERE job = ? AND status = ?", {job, status});
    while (rows.next()) {
      const std::string device = rows.text(0);
      heads.emplace_back(device, head(device));
    }
  }
  const std::int64_t canceled = database_.run(
      "UPDATE execution SET status = 'CANCELED', version = version + 1, updated = ?, deadline = NULL WHERE job = ? AND status = ?",
      {now, job, status});
  for (const auto& [device, before] : heads) list_changed(device, before, now);
  return canceled;
}

}  // namespace fieldpost
