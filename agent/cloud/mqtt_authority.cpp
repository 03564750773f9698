// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/mqtt_authority.hpp"

#include <array>
#include <cstdio>
#include <span>
#include <utility>

#include "platform/crc32c.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

std::string id_of(const std::string& request) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", static_cast<unsigned>(crc32c(std::as_bytes(std::span{request}))));
  return text.data();
}

/// Seldom and small: it need not wait behind a backlog.
Link::Message message(std::string topic, std::string payload) {
  Link::Message made;
  made.topic = std::move(topic);
  made.payload = std::move(payload);
  made.content_type = "application/json";
  made.urgency = Link::Urgency::urgent;
  return made;
}

}  // namespace

MqttAuthority::MqttAuthority(Link& link, std::string place) : link_{link}, place_{std::move(place)} {
  link_.subscribe(place_ + "/answer", 1, [this](std::string_view, std::string_view payload) { receive(payload); });
}

Result<void> MqttAuthority::ask(const std::string& request_pem, Answer answer) {
  JsonWriter json;
  const std::string id = id_of(request_pem);
  json.begin_object().member("id", id).member("request", request_pem).end_object();
  const auto published = link_.publish(message(place_ + "/request", std::move(json).take()), [](const Result<void>&) {});
  // Whatever it is, it passes: not connected, or a window full of readings.
  if (!published) return Error{ErrorKind::Unavailable, published.error().sentence()};
  id_ = id;
  answer_ = std::move(answer);
  return {};
}

void MqttAuthority::tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) {
  JsonWriter json;
  json.begin_object().member("serial", certificate.serial).member("subject", certificate.subject);
  json.member("not_after", to_rfc3339(certificate.not_after)).end_object();
  const auto published = link_.publish(message(place_ + "/in_use", std::move(json).take()), done);
  if (!published) done(published.error());
}

void MqttAuthority::receive(std::string_view payload) {
  constexpr std::size_t kAnswerBytesMax = 128U << 10U;
  constexpr std::size_t kWordsMax = 200;
  if (!answer_ || payload.size() > kAnswerBytesMax) return;
  const auto json = Json::parse(payload);
  if (!json) return;
  const auto text = [&json](std::string_view name) {
    const auto member = json->at(name);
    return member ? member->string() : std::nullopt;
  };
  if (text("id") != id_) return;
  const auto certificate = text("certificate");
  const auto error = text("error");
  if (!certificate && !error) return;
  const Answer answer = answer_;  // it may ask anew
  answer(certificate ? Result<std::string>{*certificate}
                     : Result<std::string>{Error{ErrorKind::Denied, "the authority refuses: " + error->substr(0, kWordsMax)}});
}

}  // namespace fieldpost
