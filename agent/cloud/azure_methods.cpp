// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/azure_methods.hpp"

#include <utility>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kCalls = "$iothub/methods/POST/";

AzureMethods::Answer refusal(int status, std::string_view words) {
  JsonWriter json;
  json.begin_object().member("error", words).end_object();
  return {status, std::move(json).take()};
}

}  // namespace

AzureMethods::AzureMethods(Log& log, Link& link, std::string device, std::vector<Method> methods)
    : log_{log}, link_{link}, device_{std::move(device)}, methods_{std::move(methods)} {}

void AzureMethods::start() {
  // The service may count its marks anew on each connection.
  link_.on_change([this](LinkState) { last_call_.clear(); });
  link_.subscribe(std::string{kCalls} + "#", 1, [this](std::string_view topic, std::string_view payload) { called(topic, payload); });
  link_.subscribe("devices/" + device_ + "/messages/devicebound/#", 1, [this](std::string_view, std::string_view payload) {
    log_.warn("message from the cloud not obeyed: call a direct method, which can answer", {{"bytes", payload.size()}});
  });
}

/// "$iothub/methods/POST/NAME/?$rid=RID"
void AzureMethods::called(std::string_view topic, std::string_view payload) {
  constexpr std::string_view kMark = "/?$rid=";
  const std::string_view rest = topic.substr(kCalls.size());
  const std::size_t mark = rest.find(kMark);
  if (mark == std::string_view::npos) return;  // nobody could be answered
  std::string_view rid = rest.substr(mark + kMark.size());
  rid = rid.substr(0, rid.find('&'));
  if (rid.empty()) return;
  if (topic != last_call_) {
    Answer answered = answer(rest.substr(0, mark), payload);
    if (answered.body.size() > kPayloadMax) answered = refusal(500, "the answer is larger than a method's may be");
    last_call_ = topic;
    last_topic_ = "$iothub/methods/res/" + std::to_string(answered.status) + "/?$rid=" + std::string{rid};
    last_body_ = std::move(answered.body);
  }
  Link::Message message;
  message.topic = last_topic_;
  message.payload = last_body_;
  message.urgency = Link::Urgency::urgent;
  // Lost, the caller's time runs out, and he calls again.
  static_cast<void>(link_.publish(std::move(message), [](const Result<void>&) {}));
}

AzureMethods::Answer AzureMethods::answer(std::string_view name, std::string_view payload) const {
  if (payload.size() > kPayloadMax) return refusal(413, "a method's payload has at most 128 KiB");
  for (const Method& method : methods_) {
    if (method.name == name) return method.answer(payload);
  }
  std::string names;
  for (const Method& method : methods_) names += (names.empty() ? "" : ", ") + std::string{method.name};
  return refusal(404, "no such method; there are: " + names);
}

}  // namespace fieldpost
