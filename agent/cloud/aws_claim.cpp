// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/aws_claim.hpp"

#include <utility>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kCreate = "$aws/certificates/create-from-csr/json";

std::optional<std::string> text_at(const Result<Json>& json, std::string_view name) {
  const auto member = json ? json->at(name) : std::nullopt;
  return member ? member->string() : std::nullopt;
}

/// Too many requests, or the service's own trouble: the same may go through later.
bool passes(std::int64_t status) { return status == 429 || status >= 500; }

}  // namespace

AwsClaim::AwsClaim(EventLoop& loop, Link& link, std::string name, TemplateParameters parameters, std::string thing)
    : loop_{loop},
      link_{link},
      place_{"$aws/provisioning-templates/" + std::move(name) + "/provision/json"},
      parameters_{std::move(parameters)},
      expected_thing_{std::move(thing)} {}

void AwsClaim::listen() {
  if (std::exchange(listening_, true)) return;
  const auto hear = [this](const std::string& topic, void (AwsClaim::*take)(std::string_view)) {
    link_.subscribe(topic, 1, [this, take](std::string_view, std::string_view payload) { (this->*take)(payload); });
  };
  hear(std::string{kCreate} + "/accepted", &AwsClaim::created);
  hear(std::string{kCreate} + "/rejected", &AwsClaim::rejected);
  hear(place_ + "/accepted", &AwsClaim::provisioned);
  hear(place_ + "/rejected", &AwsClaim::rejected);
}

Result<void> AwsClaim::ask(const std::string& request_pem, Answer answer) {
  if (!link_.connected()) return Error{ErrorKind::Unavailable, "no connection to AWS IoT"};
  listen();
  request_ = request_pem;
  answer_ = std::move(answer);
  step_ = Step::signing;
  attempts_ = 0;
  last_refusal_.clear();
  publish();
  return {};
}

void AwsClaim::tell_in_use(const DeviceCertificate&, std::function<void(Result<void>)> done) { done({}); }

void AwsClaim::publish() {
  if (++attempts_ > kAttemptsMax) {
    finish(last_refusal_.empty()
               ? Error{ErrorKind::Timeout, "the service does not answer; may this certificate use the provisioning topics?"}
               : Error{ErrorKind::Denied, last_refusal_});
    return;
  }
  again_ = loop_.after(kAttemptPause, [this] { publish(); });
  JsonWriter json;
  json.begin_object();
  if (step_ == Step::signing) {
    json.member("certificateSigningRequest", request_);
  } else {
    json.member("certificateOwnershipToken", token_).key("parameters").begin_object();
    for (const auto& [name, value] : parameters_) json.member(name, value);
    json.end_object();
  }
  json.end_object();
  Link::Message message;
  message.topic = step_ == Step::signing ? std::string{kCreate} : place_;
  message.payload = std::move(json).take();
  // Not connected yet, or not any more: the next attempt finds it so or otherwise.
  static_cast<void>(link_.publish(std::move(message), [](const Result<void>&) {}));
}

void AwsClaim::created(std::string_view payload) {
  if (step_ != Step::signing) return;
  const auto json = Json::parse(payload);
  const auto token = text_at(json, "certificateOwnershipToken");
  const auto chain = text_at(json, "certificatePem");
  if (!token || !chain) {
    finish(Error{ErrorKind::Malformed, "the service's answer has no certificate or no token"});
    return;
  }
  token_ = *token;
  chain_ = *chain;
  step_ = Step::registering;
  attempts_ = 0;
  last_refusal_.clear();
  publish();
}

void AwsClaim::provisioned(std::string_view payload) {
  if (step_ != Step::registering) return;
  const auto name = text_at(Json::parse(payload), "thingName");
  if (!name || name->empty()) {
    finish(Error{ErrorKind::Malformed, "the service's answer names no thing"});
    return;
  }
  if (!expected_thing_.empty() && *name != expected_thing_) {
    finish(Error{ErrorKind::Denied, "the template calls this device \"" + *name + "\", which is \"" + expected_thing_ +
                                        "\": its parameters mean another thing"});
    return;
  }
  thing_name_ = *name;
  finish(chain_);
}

void AwsClaim::rejected(std::string_view payload) {
  if (step_ == Step::none) return;
  const auto json = Json::parse(payload);
  const auto status = json ? json->at("statusCode") : std::nullopt;
  const std::int64_t code = status ? status->integer().value_or(0) : 0;
  const std::string words = "the service refuses: " + text_at(json, "errorCode").value_or("no code") + ", " +
                            text_at(json, "errorMessage").value_or("no words");
  if (passes(code)) {
    last_refusal_ = words;  // the timer tries again
  } else {
    finish(Error{ErrorKind::Denied, words});
  }
}

void AwsClaim::finish(Result<std::string> outcome) {
  step_ = Step::none;
  again_.reset();
  if (const auto answer = std::exchange(answer_, nullptr)) answer(std::move(outcome));
}

}  // namespace fieldpost
