// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/azure_dps.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/cloud/pem_body.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kAnswers = "$dps/registrations/res/";
constexpr std::string_view kVersion = "/api-version=2019-03-31";
constexpr std::string_view kVersionWithRequest = "/api-version=2025-07-01-preview";
constexpr std::size_t kCertificatesMax = 10;

std::string text_at(const std::optional<Json>& json, std::string_view name) {
  const auto member = json ? json->at(name) : std::nullopt;
  return member ? member->string().value_or("") : "";
}

/// "3" of "?$rid=1&retry-after=3".
std::optional<int> number_at(std::string_view bag, std::string_view name) {
  const std::size_t at = bag.find(name);
  int number = 0;
  if (at == std::string_view::npos || std::from_chars(bag.data() + at + name.size(), bag.data() + bag.size(), number).ec != std::errc{}) return std::nullopt;
  return number;
}

/// "the service refuses: 400209, words (status failed)".
std::string refusal(const std::optional<Json>& said, std::string_view code, std::string_view words, std::string_view status) {
  const auto number = said ? said->at(code) : std::nullopt;
  const std::string text = text_at(said, words);
  return "the provisioning service refuses: " + (number ? number->text() : "no code") + ", " + (text.empty() ? "no words" : text) +
         " (status " + std::string{status} + ")";
}

}  // namespace

LinkOptions AzureDps::link_options(LinkOptions options, const std::string& host, const std::string& scope,
                                   const std::string& registration_id, bool with_request) {
  options.url = "mqtts://" + host;
  options.client_id = registration_id;
  options.username = scope + "/registrations/" + registration_id + std::string{with_request ? kVersionWithRequest : kVersion};
  options.mqtt_version = LinkOptions::MqttVersion::v3_1_1;
  options.will.reset();
  return options;
}

Result<std::string> AzureDps::registration_id(std::string_view subject) {
  constexpr std::size_t kLengthMax = 128;
  constexpr std::string_view kName = "CN=";
  std::size_t at = subject.starts_with(kName) ? 0 : subject.find(", CN=");
  if (at == std::string_view::npos) return Error{ErrorKind::Malformed, "the certificate has no common name to register by"};
  at = subject.find(kName, at) + kName.size();
  std::string name{subject.substr(at, subject.find(", ", at) - at)};
  const bool fits = !name.empty() && name.size() <= kLengthMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
  });
  if (!fits) {
    return Error{ErrorKind::Malformed, "the certificate's common name \"" + name +
                                           "\" is no registration id: 1 to 128 letters, digits and - . _ :"};
  }
  return name;
}

AzureDps::AzureDps(EventLoop& loop, Link& link, std::string registration_id, const std::string& request_pem)
    : loop_{loop}, link_{link}, registration_id_{std::move(registration_id)}, request_{pem_body(request_pem)} {
  link_.subscribe(std::string{kAnswers} + "#", 1, [this](std::string_view topic, std::string_view payload) { receive(topic, payload); });
}

void AzureDps::begin(Answer answer) {
  answer_ = std::move(answer);
  operation_.clear();
  last_refusal_.clear();
  silences_ = 0;
  deadline_ = loop_.clock().now() + kTimeMax;
  publish();
}

/// Registers, or asks how far that is; says it again while nobody answers.
void AzureDps::publish() {
  if (++silences_ > kSilencesMax || loop_.clock().now() >= deadline_) {
    finish(last_refusal_.empty() ? Error{ErrorKind::Timeout, "the provisioning service does not answer"}
                                 : Error{ErrorKind::Timeout, last_refusal_});
    return;
  }
  next_ = loop_.after(kSilenceMax, [this] { publish(); });
  Link::Message message;
  const std::string number = "?$rid=" + std::to_string(++number_);
  if (operation_.empty()) {
    JsonWriter json;
    json.begin_object().member("registrationId", registration_id_);
    if (!request_.empty()) json.member("csr", request_);
    json.end_object();
    message.topic = "$dps/registrations/PUT/iotdps-register/" + number;
    message.payload = std::move(json).take();
  } else {
    message.topic = "$dps/registrations/GET/iotdps-get-operationstatus/" + number + "&operationId=" + operation_;
  }
  // Not connected yet, or not any more: the next attempt finds it so or otherwise.
  static_cast<void>(link_.publish(std::move(message), [](const Result<void>&) {}));
}

void AzureDps::receive(std::string_view topic, std::string_view payload) {
  if (!answer_ || !topic.starts_with(kAnswers)) return;
  const std::string_view rest = topic.substr(kAnswers.size());
  const std::string_view bag = rest.substr(std::min(rest.find('/'), rest.size()));
  int status = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), status);
  if (number_at(bag, "$rid=") != number_) return;  // of an attempt before
  silences_ = 0;
  constexpr int kOk = 200;
  constexpr int kAccepted = 202;
  constexpr int kThrottled = 429;
  constexpr int kServer = 500;
  const auto parsed = Json::parse(payload);
  const std::optional<Json> said = parsed ? std::optional{*parsed} : std::nullopt;
  const std::string state = text_at(said, "status");
  if (status == kAccepted || (status == kOk && state == "assigning")) {
    if (operation_.empty()) operation_ = text_at(said, "operationId");
    last_refusal_ = "the provisioning service has not assigned a hub in time";
  } else if (status == kThrottled || status >= kServer) {
    last_refusal_ = refusal(said, "errorCode", "message", std::to_string(status));
  } else if (status == kOk && state == "assigned") {
    assigned(payload);
    return;
  } else if (status == kOk) {  // "failed", "disabled"
    finish(Error{ErrorKind::Denied, refusal(said ? said->at("registrationState") : said, "errorCode", "errorMessage", state)});
    return;
  } else {
    finish(Error{ErrorKind::Denied, refusal(said, "errorCode", "message", std::to_string(status))});
    return;
  }
  constexpr int kPauseMax = 300;
  const auto asked = number_at(bag, "retry-after=");
  const nanoseconds pause = asked ? nanoseconds{seconds{std::clamp(*asked, 1, kPauseMax)}} : kPollPause;
  next_ = loop_.after(pause, [this] { publish(); });
}

void AzureDps::assigned(std::string_view payload) {
  const auto said = Json::parse(payload);
  const auto state = said->at("registrationState");
  Registered registered{text_at(state, "assignedHub"), text_at(state, "deviceId"), ""};
  if (registered.hub.empty() || registered.device_id.empty()) {
    finish(Error{ErrorKind::Malformed, "the provisioning service's answer names no hub or no device"});
    return;
  }
  const auto issued = state->at("issuedCertificateChain");
  if (issued) {
    const auto certificates = issued->elements();
    for (std::size_t i = 0; i < certificates.size() && i < kCertificatesMax; ++i) {
      registered.chain_pem += certificate_pem(certificates[i].string().value_or(""));
    }
  }
  if (!request_.empty() && registered.chain_pem.empty()) {
    finish(Error{ErrorKind::Malformed, "the provisioning service issued no certificate; is that on in its enrolment?"});
    return;
  }
  finish(std::move(registered));
}

void AzureDps::finish(Result<Registered> outcome) {
  next_.reset();
  if (const auto answer = std::exchange(answer_, nullptr)) answer(std::move(outcome));
}

}  // namespace fieldpost
