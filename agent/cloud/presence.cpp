// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/presence.hpp"

#include <utility>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr const char* kAway = R"({"v":1,"online":false})";

Link::Message message(const std::string& topic, std::string payload) {
  Link::Message made;
  made.topic = topic;
  made.payload = std::move(payload);
  made.retain = true;
  made.content_type = "application/json";
  made.urgency = Link::Urgency::urgent;
  return made;
}

}  // namespace

LinkOptions::Will Presence::will(const std::string& place) { return {.topic = place + "/presence", .payload = kAway, .qos = 1, .retain = true}; }

Presence::Presence(Link& link, const std::string& place, std::string version, std::function<UtcTime()> started)
    : link_{link}, topic_{place + "/presence"}, version_{std::move(version)}, started_{std::move(started)} {
  link_.on_change([this](LinkState state) {
    due_ = state == LinkState::connected;
    say();
  });
  link_.on_room([this] { say(); });
}

void Presence::say() {
  if (!due_) return;
  JsonWriter json;
  json.begin_object().member("v", 1).member("online", true).member("version", version_).member("started", to_rfc3339(started_())).end_object();
  // Lost with the connection: the next one says it anew. No room: there will be.
  if (link_.publish(message(topic_, std::move(json).take()), [](const Result<void>&) {})) due_ = false;
}

void Presence::leave() {
  due_ = false;
  static_cast<void>(link_.publish(message(topic_, kAway), [](const Result<void>&) {}));
}

}  // namespace fieldpost
