// SPDX-License-Identifier: Apache-2.0
// Commits run on the loop: until they are done there is nothing that could be answered.
#include "agent/fleet/fleet_server.hpp"

#include <utility>

namespace fieldpost {
namespace {

/// Exactly what devices say: with "jobs/#" the broker would send us our own answers.
constexpr std::string_view kFilters[] = {
    "/+/presence",      "/+/jobs/get",          "/+/jobs/start-next",      "/+/jobs/+/get",           "/+/jobs/+/update",
    "/+/shadow/get",    "/+/shadow/update",     "/+/shadow/delete",        "/+/shadow/name/+/get",    "/+/shadow/name/+/update",
    "/+/shadow/name/+/delete",
};

constexpr std::string_view kJobs = "jobs/";
constexpr std::string_view kShadow = "shadow/";

std::size_t bytes_of(const Link::Message& message) { return sizeof message + message.topic.size() + message.payload.size(); }

}  // namespace

FleetServer::FleetServer(EventLoop& loop, Log& log, Link& link, FleetDatabase& database, std::string prefix)
    : loop_{loop},
      log_{log},
      link_{link},
      database_{database},
      prefix_{std::move(prefix)},
      register_{database},
      device_jobs_{database, sayer()},
      shadows_{database, sayer()},
      jobs_{database, device_jobs_},
      desk_{register_, jobs_, shadows_} {
  for (const std::string_view filter : kFilters) {
    link_.subscribe(prefix_ + std::string{filter}, 1, [this](std::string_view topic, std::string_view payload) { received(topic, payload); });
  }
  link_.on_change([this](LinkState state) { link_changed(state); });
  link_.on_room([this] { send(); });
}

void FleetServer::start() {
  tick_ = loop_.every(loop_.clock().now() + kTick, kTick, [this] {
    // Without the broker nobody hears, and nobody can report: nobody is told more, nothing counts as late.
    if (!link_.connected()) return;
    jobs_.tick(now_us());
    static_cast<void>(settle());
  });
}

std::int64_t FleetServer::now_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(loop_.clock().utc_above_floor().time.time_since_epoch()).count();
}

void FleetServer::received(std::string_view topic, std::string_view payload) {
  topic.remove_prefix(prefix_.size() + 1);
  const std::size_t slash = topic.find('/');
  const std::string device{topic.substr(0, slash)};
  const std::string_view place = topic.substr(slash + 1);
  const std::int64_t now = now_us() / 1'000'000;
  if (place == "presence") {
    if (register_.presence(device, payload, now) && !device_jobs_.head(device).empty()) device_jobs_.notify_next(device, now);
  } else if (!register_.heard(device, now)) {
    log_.warn("a device is not served: its name is wrong, or there are too many", {{"prefix", prefix_}, {"device", device}});
  } else if (place.starts_with(kJobs)) {
    device_jobs_.receive(device, place.substr(kJobs.size()), payload, now);
  } else {
    shadows_.receive(device, place.substr(kShadow.size()), payload, now);
  }
  // With what else has come meanwhile.
  if (!settling_) settling_ = loop_.after(nanoseconds{0}, [this] { static_cast<void>(settle()); });
}

SayToDevice FleetServer::sayer() {
  return [this](const std::string& device, const std::string& place, std::string payload) {
    Link::Message& message = unsettled_.emplace_back();
    message.topic = prefix_ + "/" + device + "/" + place;
    message.payload = std::move(payload);
    message.content_type = "application/json";
    message.urgency = Link::Urgency::urgent;
  };
}

Result<void> FleetServer::settle() {
  settling_.reset();
  const auto committed = database_.commit();
  auto said = std::exchange(unsettled_, {});
  if (!committed) {
    log_.error("the fleet's database cannot be written; devices are not answered and ask again", {{"error", committed.error().sentence()}});
    return committed;
  }
  if (!link_.connected()) return {};  // told when they come back, or ask
  for (Link::Message& message : said) {
    const std::size_t bytes = bytes_of(message);
    if (outgoing_bytes_ + bytes > kOutgoingBytesMax) {
      log_.warn("the broker takes messages too slowly; one is dropped, and the device will ask", {{"prefix", prefix_}, {"topic", message.topic}});
      continue;
    }
    outgoing_bytes_ += bytes;
    outgoing_.push_back(std::move(message));
  }
  send();
  return {};
}

void FleetServer::send() {
  while (!outgoing_.empty()) {
    const std::size_t bytes = bytes_of(outgoing_.front());
    const auto published = link_.publish(outgoing_.front(), [](const Result<void>&) {});
    if (!published && published.error().kind() == ErrorKind::Full) return;  // on_room comes
    if (!published) log_.warn("a message could not be published", {{"error", published.error().sentence()}, {"topic", outgoing_.front().topic}});
    outgoing_bytes_ -= bytes;
    outgoing_.pop_front();
  }
}

void FleetServer::link_changed(LinkState state) {
  outgoing_.clear();
  outgoing_bytes_ = 0;
  if (state != LinkState::connected) return;
  // Whoever was told while we or the broker were away may not have heard it.
  std::vector<std::string> devices;
  {
    auto rows = database_.ask(
        "SELECT DISTINCT e.device FROM job j JOIN execution e ON e.job = j.id AND e.status = 'QUEUED'"
        " LEFT JOIN device d ON d.name = e.device WHERE j.state = 'IN_PROGRESS' AND d.online IS NOT 0");
    while (rows.next()) devices.push_back(rows.text(0));
  }
  const std::int64_t now = now_us() / 1'000'000;
  device_jobs_.excuse(now);
  for (const std::string& device : devices) device_jobs_.notify_next(device, now);
  static_cast<void>(settle());
}

std::string FleetServer::answer(std::string_view request) {
  static_cast<void>(settle());  // what devices said is not undone by an operator's mistake
  const auto body = Json::parse(request);
  JsonWriter json;
  json.begin_object();
  Result<void> answered = body ? desk_.answer(*body, now_us() / 1'000'000, json) : Result<void>{body.error()};
  if (answered) {
    answered = settle();
  } else {
    database_.roll_back();
    unsettled_.clear();
  }
  if (answered) {
    json.end_object();
    return std::move(json).take();
  }
  JsonWriter refusal;
  refusal.begin_object().member("error", answered.error().sentence()).end_object();
  return std::move(refusal).take();
}

}  // namespace fieldpost
