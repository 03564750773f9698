// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/desired_state.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/cloud/merge_patch.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

constexpr std::string_view kId = "state";  ///< of changes asked here: "state REVISION@VERSION"
constexpr std::string_view kOurs[] = {"configuration", "change", "agent"};
constexpr std::string_view kTwin = "$iothub/twin/";
constexpr std::size_t kIdMax = 66;  ///< without the version: 60 of a revision
constexpr std::size_t kOutcomeBytes = 2'048;  ///< of a report beside the configuration

std::int64_t integer_at(const Json& json, std::string_view key) {
  const auto member = json.at(key);
  return member ? member->integer().value_or(0) : 0;
}

std::string text_at(const Json& json, std::string_view key) {
  const auto member = json.at(key);
  return member ? member->string().value_or("") : "";
}

/// "...?$rid=7&$version=3" -> "3"
std::string_view property(std::string_view topic, std::string_view name) {
  std::size_t at = topic.find('?');
  while (at != std::string_view::npos) {
    const std::string_view rest = topic.substr(at + 1);
    if (rest.starts_with(name) && rest.substr(name.size()).starts_with('=')) {
      const std::string_view value = rest.substr(name.size() + 1);
      return value.substr(0, value.find('&'));
    }
    at = topic.find('&', at + 1);
  }
  return {};
}

std::int64_t number_in(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool is_same(const std::string& a, const std::string& b) {
  const auto left = Json::parse(a);
  const auto right = Json::parse(b);
  if (!left || !right || !left->is_object() || !right->is_object()) return a == b;
  return merge_patch(*left, *right) == "{}";
}

/// Only what is ours of a reported state: others may keep theirs in the same document.
Json ours_of(const std::optional<Json>& reported) {
  std::string text = "{";
  for (const std::string_view key : kOurs) {
    const auto member = reported ? reported->at(key) : std::nullopt;
    if (!member) continue;
    if (text.size() > 1) text += ',';
    text += "\"" + std::string{key} + "\":" + member->text();
  }
  return *Json::parse(text + "}");
}

}  // namespace

DesiredState::DesiredState(EventLoop& loop, Log& log, Link& link, RemoteConfiguration& configuration, const CloudOptions& options,
                           Names names)
    : loop_{loop}, log_{log}, link_{link}, configuration_{configuration}, options_{options}, names_{std::move(names)} {
  if (options.profile != CloudOptions::Profile::azure) {
    place_ = thing_place(options, names_.prefix, names_.device) + "/shadow";
    if (!options.shadow.empty()) place_ += "/name/" + options.shadow;
  }
  marks_begin_ = std::to_string(loop.clock().now().time_since_epoch().count()) + "-";
}

void DesiredState::start() {
  const auto hear = [this](const std::string& filter, void (DesiredState::*receive)(std::string_view, std::string_view)) {
    link_.subscribe(filter, 1, [this, receive](std::string_view topic, std::string_view payload) { (this->*receive)(topic, payload); });
  };
  if (place_.empty()) {
    hear(std::string{kTwin} + "res/#", &DesiredState::twin_heard);
    hear(std::string{kTwin} + "PATCH/properties/desired/#", &DesiredState::twin_heard);
  } else {
    for (const char* end : {"/get/accepted", "/get/rejected", "/update/accepted", "/update/rejected", "/update/delta"}) {
      hear(place_ + end, &DesiredState::shadow_heard);
    }
  }
  configuration_.on_change([this] {
    if (!link_.connected()) return;
    if (std::exchange(fetch_again_, false)) return get();  // it was told to wait
    if (question_ == Question::none) report();
  });
  link_.on_change([this](LinkState state) {
    if (state == LinkState::connected) return connected();
    question_ = Question::none;
    timer_.reset();
  });
  if (link_.connected()) connected();
}

void DesiredState::connected() {
  patience_ = kPatience;
  hopeless_.clear();
  get();
}

void DesiredState::get() {
  if (place_.empty()) return ask(Question::get, std::string{kTwin} + "GET/?$rid=", {});
  ask(Question::get, place_ + "/get", {});
}

void DesiredState::report() {
  const std::string truth_now = truth();
  if (truth_now == hopeless_) return;
  const std::string patch = merge_patch(*Json::parse(reported_), *Json::parse(truth_now));
  if (patch == "{}") return;
  reporting_ = truth_now;
  if (place_.empty()) return ask(Question::report, std::string{kTwin} + "PATCH/properties/reported/?$rid=", patch);
  ask(Question::report, place_ + "/update", patch);
}

/// `payload` of a report: the patch.
void DesiredState::ask(Question question, std::string topic, std::string payload) {
  question_ = question;
  mark_ = marks_begin_ + std::to_string(++marks_);
  Link::Message message;
  if (place_.empty()) {
    topic += mark_;
    message.payload = std::move(payload);
  } else {
    message.payload = question == Question::get ? "{" : "{\"state\":{\"reported\":" + payload + "},";
    message.payload += "\"clientToken\":\"" + mark_ + "\"}";
  }
  message.topic = std::move(topic);
  message.content_type = "application/json";
  message.urgency = Link::Urgency::urgent;
  // Whatever comes of the publish, without an answer the question is put again.
  static_cast<void>(link_.publish(std::move(message), [](const Result<void>&) {}));
  timer_ = loop_.after(patience_, [this] { again(); });
}

void DesiredState::again() {
  if (!link_.connected()) return;
  if (status_.last_error.empty()) status_.last_error = "no answer about the desired state";
  patience_ = std::min(patience_ * 2, kPatienceMax);
  get();
}

/// Something has changed, at that version or later.
void DesiredState::news(std::int64_t version) {
  if (version <= status_.version) return;  // late, or twice
  if (question_ == Question::none) return get();
  news_version_ = std::max(news_version_, version);
}

void DesiredState::answered(std::string_view payload, std::int64_t version) {
  timer_.reset();
  mark_.clear();
  patience_ = kPatience;
  status_.last_error.clear();
  const Question question = std::exchange(question_, Question::none);
  if (question == Question::report) {
    reported_ = reporting_;
  } else {
    const auto document = Json::parse(payload);
    const auto root = document && !place_.empty() ? document->at("state") : document ? std::optional<Json>{*document} : std::nullopt;
    if (!root) return refused(0, "the document cannot be read");
    reported_ = ours_of(root->at("reported")).text();
    // A shadow leaves out what is empty.
    const Json desired = root->at("desired").value_or(*Json::parse("{}"));
    const std::int64_t at = place_.empty() ? integer_at(desired, "$version") : version;
    if (at < status_.version) log_.warn("the cloud's desired state is older than it was", {{"version", at}, {"before", status_.version}});
    status_.version = at;
    take(desired, at);
  }
  if (news_version_ > status_.version) {
    news_version_ = 0;
    return get();
  }
  if (question_ == Question::none) report();
}

void DesiredState::take(const Json& desired, std::int64_t version) {
  const auto wanted = desired.at("configuration");
  const auto revision = desired.at("revision");
  std::string id = std::string{kId} + " ";
  if (revision) id += revision->string().value_or(revision->text());
  // Before a character: half of one is another after a restart, and what was put back would be tried again for ever.
  std::size_t end = std::min(id.size(), kIdMax);
  while (end < id.size() && (static_cast<unsigned char>(id[end]) & 0xC0U) == 0x80U) --end;
  id.resize(end);
  const ConfigurationChange& latest = configuration_.latest();
  too_large_.clear();
  // Nobody wants anything of us, and never has.
  if (!wanted && !latest.id.starts_with(kId)) return;
  const std::string text = wanted ? wanted->text() : "{}";
  // It has had its outcome, good or bad, or is about to: what was put back is not tried again and again.
  if (latest.id.substr(0, latest.id.rfind('@')) == id && is_same(latest.asked, text)) return;
  // The reported state must have room for the same again, and for what became of it.
  const std::size_t bytes_max = (limits_of(options_.profile).state_bytes_max - kOutcomeBytes) / 2;
  if (text.size() > bytes_max) {
    too_large_ = "the configuration has " + std::to_string(text.size()) + " bytes; with its report it fits up to " + std::to_string(bytes_max);
    return;
  }
  const auto taken = configuration_.apply(id + "@" + std::to_string(version), text);
  if (!taken && taken.error().kind() == ErrorKind::Unavailable) fetch_again_ = true;
}

void DesiredState::refused(std::int64_t code, std::string words) {
  constexpr std::int64_t kNotFound = 404;
  constexpr std::int64_t kBadRequest = 400;
  constexpr std::int64_t kTooLarge = 413;
  const Question question = std::exchange(question_, Question::none);
  mark_.clear();
  timer_.reset();
  if (question == Question::get && code == kNotFound) {  // nobody has made one: our report does
    reported_ = "{}";
    status_.version = 0;
    status_.last_error.clear();
    return report();
  }
  const std::string error = "the cloud refuses: " + std::to_string(code) + " " + words.substr(0, 200);
  if (status_.last_error != error) log_.warn("desired state", {{"error", error}});
  status_.last_error = error;
  if (question == Question::report && (code == kBadRequest || code == kTooLarge)) {
    hopeless_ = reporting_;  // the same will be refused the same; another truth may go
    return;
  }
  // 409: another has changed it; 429, 5xx: later; 401, 403: an operator may mend it. All are seen by asking anew.
  timer_ = loop_.after(patience_, [this] { again(); });
}

void DesiredState::shadow_heard(std::string_view topic, std::string_view payload) {
  if (payload.size() > Json::kTextBytesMax) return;
  const auto json = Json::parse(payload);
  if (!json) return;
  const std::string_view end = topic.substr(std::min(place_.size(), topic.size()));
  const std::int64_t version = integer_at(*json, "version");
  if (end == "/update/delta") return news(version);
  const std::string mark = text_at(*json, "clientToken");
  const Question about = end.starts_with("/get") ? Question::get : Question::report;
  const bool is_answer = !mark_.empty() && mark == mark_ && about == question_;
  if (is_answer && end.ends_with("/rejected")) return refused(integer_at(*json, "code"), text_at(*json, "message"));
  if (is_answer) return answered(payload, version);
  // Somebody else's update. A key that was taken out of the desired state is in no delta.
  const auto state = json->at("state");
  if (end == "/update/accepted" && state && state->at("desired")) news(version);
}

void DesiredState::twin_heard(std::string_view topic, std::string_view payload) {
  const std::string_view rest = topic.substr(kTwin.size());
  if (rest.starts_with("PATCH")) return news(number_in(property(topic, "$version")));
  constexpr std::string_view kAnswer = "res/";
  if (mark_.empty() || property(topic, "$rid") != mark_) return;
  const std::int64_t code = number_in(rest.substr(kAnswer.size()));
  constexpr std::int64_t kBad = 300;
  if (code >= kBad) return refused(code, std::string{payload});
  answered(payload, 0);
}

std::string DesiredState::change() const {
  const ConfigurationChange& change = configuration_.latest();
  JsonWriter json;
  json.begin_object();
  json.member("state", to_string(too_large_.empty() ? change.state : State::refused));
  const std::string& cause = too_large_.empty() ? change.cause : too_large_;
  if (!cause.empty()) json.member("cause", cause);
  if (too_large_.empty() && change.state != State::none) {
    const std::size_t at = change.id.rfind('@');
    const bool ours = change.id.starts_with(kId) && at != std::string::npos;
    if (!ours) json.member("asked_by", change.id);
    if (ours) json.member("revision", change.id.substr(kId.size() + 1, at - kId.size() - 1));
    if (ours) json.member("desired_version", number_in(std::string_view{change.id}.substr(at + 1)));
  }
  json.end_object();
  return std::move(json).take();
}

std::string DesiredState::truth() const {
  JsonWriter json;
  json.begin_object().key("configuration").raw(configuration_.latest().running).key("change").raw(change());
  json.member("agent", names_.version).end_object();
  return std::move(json).take();
}

}  // namespace fieldpost
