// SPDX-License-Identifier: Apache-2.0
// The file: "fieldpost-jobs 1 CRC\n" and a JSON object, of which CRC is the CRC-32C in hexadecimal.
#include "agent/jobs/job_record.hpp"

#include <array>
#include <cstdio>
#include <span>

#include "platform/crc32c.hpp"
#include "platform/durable_file.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::array<std::string_view, 4> kPhases{"none", "taken", "acting", "over"};

std::string head_of(std::string_view body) {
  std::array<char, 32> head{};
  std::snprintf(head.data(), head.size(), "fieldpost-jobs 1 %08x\n", static_cast<unsigned>(crc32c(std::as_bytes(std::span{body}))));
  return head.data();
}

void write_outcome(JsonWriter& json, const JobOutcome& outcome) {
  json.member("status", to_string(outcome.status)).key("details").begin_array();
  for (const auto& [name, text] : outcome.details) json.value(name).value(text);
  json.end_array();
}

std::string text_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  return member ? member->string().value_or("") : "";
}

std::int64_t integer_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  return member ? member->integer().value_or(0) : 0;
}

UtcTime time_at(const Json& json, std::string_view name) { return from_rfc3339(text_at(json, name)).value_or(UtcTime{}); }

JobStatus status_at(const Json& json) { return job_status(text_at(json, "status")).value_or(JobStatus::failed); }

JobOutcome read_outcome(const Json& json) {
  JobOutcome outcome{status_at(json), {}};
  const auto details = json.at("details");
  if (!details) return outcome;
  const auto words = details->elements();
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    outcome.details.emplace_back(words[i].string().value_or(""), words[i + 1].string().value_or(""));
  }
  return outcome;
}

}  // namespace

/// A cloud, or a record of before, may not know when it was queued.
bool JobRecord::Past::is(const JobExecution& execution) const {
  const auto second = [](UtcTime time) { return std::chrono::floor<seconds>(time); };
  return job == execution.job && number == execution.number &&
         (queued_at == UtcTime{} || execution.queued_at == UtcTime{} || second(queued_at) == second(execution.queued_at));
}

std::string to_text(const JobRecord& record) {
  JsonWriter json;
  json.begin_object().member("phase", kPhases[static_cast<std::size_t>(record.phase)]);
  if (record.phase != JobRecord::Phase::none) {
    const JobExecution& execution = record.execution;
    json.member("job", execution.job).member("number", execution.number).member("version", execution.version);
    json.member("queued_at", to_rfc3339(execution.queued_at)).member("document", execution.document);
    json.key("point").begin_object().member("step", record.point.step).member("note", record.point.note);
    json.member("boot_id", record.point.boot_id).end_object();
    json.key("outcome").begin_object();
    write_outcome(json, record.outcome);
    json.end_object();
  }
  json.key("past").begin_array();
  for (const JobRecord::Past& past : record.past) {
    json.begin_object().member("job", past.job).member("number", past.number).member("ended", to_rfc3339(past.ended));
    json.member("queued_at", to_rfc3339(past.queued_at));
    write_outcome(json, past.outcome);
    json.end_object();
  }
  json.end_array().member("budget_day", record.budget_day).member("budget_bytes", record.budget_bytes).end_object();
  const std::string body = std::move(json).take();
  return head_of(body) + body;
}

Result<JobRecord> job_record(std::string_view text) {
  const Error damaged{ErrorKind::Malformed, "the record of jobs is damaged"};
  const std::size_t end_of_head = text.find('\n');
  if (end_of_head == std::string_view::npos) return damaged;
  const std::string_view body = text.substr(end_of_head + 1);
  if (text.substr(0, end_of_head + 1) != head_of(body)) return damaged;
  const Json json = TRY(Json::parse(body));
  JobRecord record;
  const std::string phase = text_at(json, "phase");
  std::size_t number = 0;
  while (number < kPhases.size() && kPhases[number] != phase) ++number;
  if (number == kPhases.size()) return damaged;
  record.phase = static_cast<JobRecord::Phase>(number);
  record.execution.job = text_at(json, "job");
  record.execution.number = integer_at(json, "number");
  record.execution.version = integer_at(json, "version");
  record.execution.document = text_at(json, "document");
  record.execution.queued_at = time_at(json, "queued_at");
  if (const auto point = json.at("point")) {
    record.point = {static_cast<int>(integer_at(*point, "step")), text_at(*point, "note"), text_at(*point, "boot_id")};
  }
  if (const auto outcome = json.at("outcome")) record.outcome = read_outcome(*outcome);
  if (const auto past = json.at("past")) {
    for (const Json& each : past->elements()) {
      record.past.push_back({text_at(each, "job"), integer_at(each, "number"), read_outcome(each), time_at(each, "ended"),
                             time_at(each, "queued_at")});
    }
  }
  record.budget_day = integer_at(json, "budget_day");
  record.budget_bytes = integer_at(json, "budget_bytes");
  return record;
}

Result<JobRecord> JobFile::read() { return job_record(TRY(read_file(path_, kBytesMax))); }

void JobFile::write(const JobRecord& record, std::function<void(Result<void>)> done) {
  if (!worker_) worker_ = Worker::start(loop_, "fp-jobs", 4);
  // Shared by the two threads in turn: the result of the one is read by the other after it.
  const auto result = std::make_shared<Result<void>>();
  const bool taken = worker_ && worker_->submit([path = path_, text = to_text(record), result] { *result = replace_file_durably(path, text); },
                                                [result, done] { done(*result); });
  if (!taken) done(Error{ErrorKind::Full, "no thread for the record of jobs"});
}

}  // namespace fieldpost
