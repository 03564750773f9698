// SPDX-License-Identifier: Apache-2.0
// Left out of AWS's: metadata (a timestamp of each leaf doubles the document, and no device asks), and update/documents,
// which are for backends. A delta is said when `desired` was written and not when a device reports: one that cannot do
// what is desired would hear of it after each of its reports, for ever.
#include "agent/fleet/device_shadows.hpp"

#include <algorithm>
#include <utility>

#include "agent/cloud/cloud_profile.hpp"
#include "agent/cloud/merge_patch.hpp"
#include "agent/fleet/shadow_document.hpp"

namespace fieldpost {
namespace {

/// The leaves of `desired` that differ; empty if there are none.
std::string delta_of(const std::string& desired, const std::string& reported) {
  const auto wanted = Json::parse(desired.empty() ? "{}" : desired);
  const auto present = Json::parse(reported.empty() ? "{}" : reported);
  const std::string delta = wanted && present ? merge_patch(*present, *wanted, false) : "{}";
  return delta == "{}" ? std::string{} : delta;
}

}  // namespace

std::size_t DeviceShadows::state_bytes_max() noexcept { return limits_of(CloudOptions::Profile::plain).state_bytes_max; }

DeviceShadows::Shadow DeviceShadows::find(const std::string& device, const std::string& name) {
  Shadow shadow;
  auto rows = database_.ask("SELECT version, desired, reported FROM shadow WHERE device = ? AND name = ?", {device, name});
  if (rows.next()) shadow = {rows.integer(0), !rows.is_null(1), rows.text(1), rows.text(2)};
  return shadow;
}

void DeviceShadows::write_state(JsonWriter& json, const Shadow& shadow) {
  json.key("state").begin_object();
  if (!shadow.desired.empty() && shadow.desired != "{}") json.key("desired").raw(shadow.desired);
  if (!shadow.reported.empty() && shadow.reported != "{}") json.key("reported").raw(shadow.reported);
  if (const std::string delta = delta_of(shadow.desired, shadow.reported); !delta.empty()) json.key("delta").raw(delta);
  json.end_object().member("version", shadow.version);
}

std::optional<std::string> DeviceShadows::document(const std::string& device, const std::string& name) {
  const Shadow shadow = find(device, name);
  if (!shadow.exists) return std::nullopt;
  JsonWriter json;
  json.begin_object();
  write_state(json, shadow);
  json.end_object();
  return std::move(json).take();
}

DeviceShadows::Refusal DeviceShadows::update(const std::string& device, const std::string& name, const Json& body, Shadow& shadow,
                                             std::int64_t now) {
  const auto state = body.at("state");
  if (!state || !state->is_object()) return {400, "Missing required node: state"};
  if (has_null_in_array(*state)) return {400, "JSON contains a null inside an array"};
  if (const auto version = body.at("version"); version) {
    const auto number = version->integer();
    if (!number) return {400, "Invalid version"};
    if (*number != shadow.version) return {409, "Version conflict"};
  }
  const auto lay_over = [&state](const char* key, std::string& document) {
    const auto patch = state->at(key);
    if (!patch) return true;
    if (patch->is_object()) document = merged(document, *patch);
    if (patch->is_null()) document = "{}";
    return patch->is_object() || patch->is_null();
  };
  for (const std::string& key : state->keys()) {
    if (key != "desired" && key != "reported") return {400, "State contains an invalid node"};
  }
  if (!lay_over("desired", shadow.desired) || !lay_over("reported", shadow.reported)) return {400, "State contains an invalid node"};
  if (std::max(shadow.desired.size(), shadow.reported.size()) > state_bytes_max()) return {413, "The payload exceeds the maximum size allowed"};
  if (shadow.version == 0) {
    auto rows = database_.ask("SELECT count(*) FROM shadow WHERE device = ?", {device});
    if (rows.next() && rows.integer(0) >= static_cast<std::int64_t>(kNamesMax)) return {413, "The device has too many shadows"};
  }
  ++shadow.version;
  database_.run("INSERT OR REPLACE INTO shadow(device, name, version, updated, desired, reported) VALUES(?, ?, ?, ?, ?, ?)",
                {device, name, shadow.version, now, shadow.desired, shadow.reported});
  return {};
}

int DeviceShadows::receive(const std::string& device, std::string_view place, std::string_view payload, std::int64_t now) {
  const std::size_t slash = place.rfind('/');
  const std::string_view verb = place.substr(slash == std::string_view::npos ? 0 : slash + 1);
  constexpr std::string_view kName = "name/";
  const std::string name{place.starts_with(kName) && slash > kName.size() ? place.substr(kName.size(), slash - kName.size()) : std::string_view{}};
  const std::string at = "shadow/" + std::string{place};

  const bool is_short = payload.size() <= 2 * state_bytes_max() + kAroundBytesMax;
  const auto body = Json::parse(payload.empty() || !is_short ? "{}" : payload);
  const bool is_object = body && body->is_object();
  const auto token = is_object && body->at("clientToken") ? body->at("clientToken")->string() : std::nullopt;
  const auto say = [&](const std::string& where, JsonWriter json) {
    json.member("timestamp", now);
    if (token) json.member("clientToken", *token);
    json.end_object();
    say_(device, where, std::move(json).take());
  };
  Shadow shadow = find(device, name);
  Refusal refusal;
  JsonWriter json;
  json.begin_object();
  std::string delta;
  if (!is_short) {
    refusal = {413, "The payload exceeds the maximum size allowed"};
  } else if (!is_object) {
    refusal = {400, "Invalid JSON"};
  } else if (name.size() > kNameBytesMax) {
    refusal = {400, "Invalid shadow name"};
  } else if (verb == "update") {
    refusal = update(device, name, *body, shadow, now);
    if (refusal.code == 0) {
      json.key("state").raw(body->at("state")->text()).member("version", shadow.version);
      if (body->at("state")->at("desired")) delta = delta_of(shadow.desired, shadow.reported);
    }
  } else if (!shadow.exists) {
    refusal = {404, "No shadow exists with that name"};
  } else if (verb == "get") {
    write_state(json, shadow);
  } else {
    json.member("version", shadow.version);
    database_.run("UPDATE shadow SET desired = NULL, reported = NULL, version = version + 1, updated = ? WHERE device = ? AND name = ?",
                  {now, device, name});
  }
  if (refusal.code != 0) {
    JsonWriter error;
    error.begin_object().member("code", refusal.code).member("message", refusal.message);
    say(at + "/rejected", std::move(error));
    return refusal.code;
  }
  say(at + "/accepted", std::move(json));
  if (delta.empty()) return 0;
  JsonWriter told;
  told.begin_object().member("version", shadow.version).key("state").raw(delta);
  say(at + "/delta", std::move(told));
  return 0;
}

}  // namespace fieldpost
