// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/mqtt_jobs.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "platform/json.hpp"
#include "platform/utf8.hpp"

namespace fieldpost {
namespace {

constexpr std::array<std::string_view, 8> kStatusNames{"QUEUED",   "IN_PROGRESS", "SUCCEEDED", "FAILED",
                                                       "REJECTED", "TIMED_OUT",   "CANCELED",  "REMOVED"};
constexpr std::size_t kAnswerBytesMax = 128U << 10U;
constexpr std::size_t kWordsMax = 200;
constexpr std::size_t kOldDetailBytesMax = 128;  // older service model

enum class Verdict : std::uint8_t { again, gone, refused, version };

struct Code {
  std::string_view name;
  Verdict verdict;
};
constexpr Code kCodes[] = {
    {"VersionMismatch", Verdict::version}, {"InvalidStateTransition", Verdict::version},
    {"TerminalStateReached", Verdict::gone}, {"ResourceNotFound", Verdict::gone},
    {"InvalidTopic", Verdict::refused}, {"InvalidJson", Verdict::refused}, {"InvalidRequest", Verdict::refused},
};

/// RequestThrottled, InternalError, and whatever a later service thinks of: it may pass.
Verdict verdict_on(std::string_view code) {
  for (const Code& each : kCodes) {
    if (each.name == code) return each.verdict;
  }
  return Verdict::again;
}

std::string text_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  return member ? member->string().value_or("") : "";
}

/// Numbers are shown quoted in some of the service's documents.
std::optional<std::int64_t> integer_at(const Json& json, std::string_view name) {
  const auto member = json.at(name);
  if (!member) return std::nullopt;
  if (const auto number = member->integer()) return number;
  const std::string text = member->string().value_or("");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Seconds or milliseconds since 1970: the service's documents have both.
UtcTime time_at(const Json& json, std::string_view name) {
  constexpr std::int64_t kMillisecondsFrom = 100'000'000'000;  // seconds: the year 5138
  constexpr std::int64_t kMax = 9'000'000'000'000;             // milliseconds: the year 2255
  const std::int64_t number = std::clamp<std::int64_t>(integer_at(json, name).value_or(0), 0, kMax);
  return UtcTime{number < kMillisecondsFrom ? nanoseconds{seconds{number}} : nanoseconds{milliseconds{number}}};
}

/// It becomes part of a topic.
bool is_job_name(std::string_view name) {
  constexpr std::size_t kNameMax = 64;
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::optional<JobExecution> execution_of(const Json& json) {
  JobExecution execution;
  execution.job = text_at(json, "jobId");
  const auto status = job_status(text_at(json, "status"));
  const auto version = integer_at(json, "versionNumber");
  const auto number = integer_at(json, "executionNumber");
  if (!is_job_name(execution.job) || !status || !version) return std::nullopt;
  execution.status = *status;
  execution.version = *version;
  execution.number = number.value_or(1);
  execution.queued_at = time_at(json, "queuedAt");
  const auto document = json.at("jobDocument");
  if (document) execution.document = document->text();
  return execution;
}

/// Characters that the service takes for control characters (Unicode's categories C), about: what has none of them in a text
/// for people becomes a blank.
bool is_shown(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first >= 0x20 && first < 0x7f;
  const auto second = static_cast<unsigned char>(character[1]);
  if (character.size() == 2) return first != 0xc2 || (second >= 0xa0 && second != 0xad);
  if (character.size() > 3) return true;
  // U+2000 to U+206F has marks of direction and the like among its dashes and quotes; U+E000 and up is private.
  if (first == 0xe2 && (second == 0x80 || second == 0x81)) {
    const auto third = static_cast<unsigned char>(character[2]);
    return second == 0x80 && third >= 0x90 && third <= 0xa7;
  }
  return first < 0xee;
}

std::string shown(std::string_view text, std::size_t bytes_max) {
  const std::string whole = to_utf8(text);
  std::string result;
  for (std::size_t at = 0; at < whole.size();) {
    const std::string_view character = std::string_view{whole}.substr(at, utf8_character_bytes(std::string_view{whole}.substr(at)));
    if (result.size() + character.size() > bytes_max) break;
    at += character.size();
    if (is_shown(character)) {
      result += character;
    } else {
      result += ' ';
    }
  }
  return result;
}

}  // namespace

std::string_view to_string(JobStatus status) noexcept { return kStatusNames[static_cast<std::size_t>(status)]; }

std::optional<JobStatus> job_status(std::string_view name) noexcept {
  const auto found = std::find(kStatusNames.begin(), kStatusNames.end(), name);
  if (found == kStatusNames.end()) return std::nullopt;
  return static_cast<JobStatus>(found - kStatusNames.begin());
}

MqttJobs::MqttJobs(EventLoop& loop, Log& log, Link& link, std::string base, Backoff::Random random)
    : loop_{loop}, log_{log}, link_{link}, base_{std::move(base)}, look_{random}, tell_{random} {
  // A token must not be one of the run before: an answer to that may be on its way still.
  std::array<char, 9> stem{};
  std::snprintf(stem.data(), stem.size(), "%08x", static_cast<unsigned>(random() * 4294967295.0));
  token_stem_ = stem.data();
  link_.subscribe(base_ + "/notify-next", 1, [this](std::string_view, std::string_view) {
    if (notice_) notice_();
  });
  for (const char* filter : {"/+/get/+", "/+/update/+"}) {
    link_.subscribe(base_ + filter, 1, [this](std::string_view topic, std::string_view payload) { answered(topic, payload); });
  }
  link_.on_change([this](LinkState state) {
    if (state != LinkState::connected) return;
    for (Request* request : {&look_, &tell_}) {
      if (!request->token.empty()) send(*request);
    }
    if (notice_) notice_();
  });
}

void MqttJobs::look(std::string job, Found found) {
  found_ = std::move(found);
  begin(look_, base_ + "/" + (job.empty() ? std::string{"$next"} : std::move(job)) + "/get");
}

void MqttJobs::tell(JobReport report, Told told) {
  report_ = std::move(report);
  told_ = std::move(told);
  shortened_ = false;
  adopted_ = false;
  begin(tell_, base_ + "/" + report_.job + "/update");
}

void MqttJobs::stop() {
  end(look_);
  end(tell_);
  notice_ = nullptr;
}

void MqttJobs::begin(Request& request, std::string topic) {
  end(request);
  request.topic = std::move(topic);
  request.token = token_stem_ + "-" + std::to_string(++tokens_);
  request.backoff.reset();
  send(request);
}

void MqttJobs::send(Request& request) {
  wait(request);
  Link::Message message;
  message.topic = request.topic;
  message.payload = &request == &look_ ? question() : report();
  message.content_type = "application/json";
  message.urgency = Link::Urgency::urgent;  // seldom and small: it need not wait behind a backlog
  // Not connected, or no room: the next connection or the timer sends it.
  static_cast<void>(link_.publish(std::move(message), [](const Result<void>&) {}));
}

void MqttJobs::wait(Request& request) {
  request.again = loop_.after(kPauseMin + request.backoff.next(), [this, &request] { send(request); });
}

void MqttJobs::end(Request& request) {
  request.token.clear();
  request.again.reset();
}

std::string MqttJobs::question() const {
  JsonWriter json;
  json.begin_object().member("clientToken", look_.token);
  // Of a job in hand only its state is wanted.
  if (!look_.topic.ends_with("/$next/get")) json.member("includeJobDocument", false);
  json.end_object();
  return std::move(json).take();
}

std::string MqttJobs::report() const {
  JsonWriter json;
  json.begin_object().member("status", to_string(report_.status));
  json.key("statusDetails").begin_object();
  std::size_t count = 0;
  for (const auto& [name, text] : report_.details) {
    const std::string value = shown(text, shortened_ ? kOldDetailBytesMax : kDetailBytesMax);
    if (value.empty() || count == (shortened_ ? 1 : kDetailsMax)) continue;
    json.member(name, value);
    ++count;
  }
  json.end_object();
  json.member("expectedVersion", report_.version).member("executionNumber", report_.number);
  json.member("includeJobExecutionState", true);
  if (report_.step_minutes != 0) json.member("stepTimeoutInMinutes", report_.step_minutes);
  json.member("clientToken", tell_.token).end_object();
  return std::move(json).take();
}

void MqttJobs::answered(std::string_view topic, std::string_view payload) {
  const bool accepted = topic.ends_with("/accepted");
  if (payload.size() > kAnswerBytesMax || (!accepted && !topic.ends_with("/rejected"))) return;
  const auto json = Json::parse(payload);
  if (!json) return;
  const std::string token = text_at(*json, "clientToken");
  const std::string_view asked = topic.substr(0, topic.rfind('/'));
  const bool of_look = token == look_.token && asked == look_.topic;
  if (token.empty() || (!of_look && (token != tell_.token || asked != tell_.topic))) return;
  std::optional<std::pair<JobStatus, std::int64_t>> state;
  if (const auto member = json->at("executionState")) {
    const auto status = job_status(text_at(*member, "status"));
    const auto version = integer_at(*member, "versionNumber");
    if (status && version) state.emplace(*status, *version);
  }
  if (accepted && of_look) {
    const auto execution = json->at("execution");
    if (execution && execution->is_object() && !execution->keys().empty()) {
      const auto known = execution_of(*execution);
      // One that cannot be understood is no answer: asked again, ever less often.
      if (known) found(known);
    } else {
      found(std::nullopt);
    }
  } else if (accepted) {
    told({JobAnswer::Kind::accepted, state ? state->second : report_.version + 1});
  } else {
    const std::string code = text_at(*json, "code");
    const std::string words = shown(code + ", " + text_at(*json, "message"), kWordsMax);
    if (!of_look) {
      refused(code, words, state);
      return;
    }
    switch (verdict_on(code)) {
      case Verdict::again: wait(look_); break;
      case Verdict::gone: found(std::nullopt); break;
      case Verdict::refused:
      case Verdict::version:
        log_.error("the cloud refuses a question about jobs", {{"answer", words}});
        end(look_);
        break;
    }
  }
}

void MqttJobs::refused(std::string_view code, std::string_view words,
                       const std::optional<std::pair<JobStatus, std::int64_t>>& state) {
  const Verdict verdict = verdict_on(code);
  if (verdict == Verdict::again) {
    wait(tell_);
    return;
  }
  if (verdict == Verdict::gone) {
    told({JobAnswer::Kind::gone, 0, std::string{words}});
    return;
  }
  if (verdict == Verdict::refused) {
    log_.error("the cloud refuses a job's report", {{"job", report_.job}, {"answer", words}});
    if (shortened_ || report_.details.empty()) {
      told({JobAnswer::Kind::refused, 0, std::string{words}});
      return;
    }
    // Most likely a detail that it does not take; the status is what counts.
    shortened_ = true;
  } else if (state && state->first == report_.status) {
    // Our own report of before, whose answer was lost.
    told({JobAnswer::Kind::accepted, state->second});
    return;
  } else if (!state || is_final(state->first) || code != "VersionMismatch") {
    told({JobAnswer::Kind::gone, 0, std::string{words}});
    return;
  } else {
    report_.version = state->second;
    if (std::exchange(adopted_, true)) {
      // Somebody else reports as well: no race with him.
      tell_.token = token_stem_ + "-" + std::to_string(++tokens_);
      wait(tell_);
      return;
    }
  }
  tell_.token = token_stem_ + "-" + std::to_string(++tokens_);
  send(tell_);
}

void MqttJobs::found(const std::optional<JobExecution>& execution) {
  end(look_);
  if (const auto found = std::exchange(found_, nullptr)) found(execution);
}

void MqttJobs::told(JobAnswer answer) {
  end(tell_);
  if (const auto told = std::exchange(told_, nullptr)) told(answer);
}

}  // namespace fieldpost
