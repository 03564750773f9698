// SPDX-License-Identifier: Apache-2.0
#include "agent/configuration/remote_overlay.hpp"

#include "agent/configuration/quantity.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

/// What may be changed from afar. A section is all or these keys. Whatever is added to the configuration stays local
/// until somebody writes it here, having thought of what a thief of the cloud's account could do with it.
struct Allowed {
  std::string_view section;
  std::string_view keys;  ///< each between blanks; empty: all
  bool named = false;     ///< [source.NAME]: the keys stand one level deeper
};

constexpr Allowed kAllowed[] = {
    {"sampling", ""},
    // Drivers' own options name devices, sockets and files.
    {"source", " interval enabled ", true},
    // Where it lies is a path.
    {"outbox", " quota age flush_interval flash_bytes_per_day flush_interval_max thin_window segment_max "},
    {"sync", ""},
    {"series", ""},
    {"rule", ""},
    {"self", ""},
    {"log", ""},
    // Patience, not who is called: a wrong one is put back, as the link then does not come up in time.
    {"broker", " keep_alive acknowledge_timeout connect_timeout backoff_max "},
};

/// Of the timeouts: under a second a link that is fast just now is confirmed, and over a slow one never comes up again.
constexpr nanoseconds kTimeoutMin = seconds{10};

Error denied(const std::string& what) {
  return Error{ErrorKind::Denied, what + " may not be changed from afar; it is set in the device's own files"};
}

Result<void> check_keys(const Json& table, const Allowed& allowed, const std::string& title) {
  for (const std::string& key : table.keys()) {
    if (allowed.keys.find(" " + key + " ") == std::string_view::npos) return denied("\"" + key + "\" in [" + title + "]");
  }
  return {};
}

Result<void> check_section(const std::string& name, const Json& section) {
  for (const Allowed& allowed : kAllowed) {
    if (allowed.section != name) continue;
    if (allowed.keys.empty()) return {};
    if (!section.is_object()) return Error{ErrorKind::Malformed, "\"" + name + "\" must be an object"};
    if (!allowed.named) {
      for (const std::string_view key : {"acknowledge_timeout", "connect_timeout"}) {
        const auto value = section.at(key);
        const auto time = parse_duration(value ? value->string().value_or("") : "");
        if (time && *time < kTimeoutMin) return Error{ErrorKind::OutOfRange, "\"" + std::string{key} + "\" is at least 10s from afar"};
      }
      return check_keys(section, allowed, name);
    }
    for (const std::string& instance : section.keys()) {
      TRY(check_keys(*section.at(instance), allowed, name + "." + instance));
    }
    return {};
  }
  return denied("[" + name + "]");
}

std::string quoted(const std::string& text) {
  JsonWriter json;
  json.value(text);
  return std::move(json).take();  // what JSON escapes, TOML reads alike
}

/// Depth is bounded by Json::parse().
Result<void> write(std::string& toml, const Json& value) {
  if (value.is_null()) return Error{ErrorKind::Malformed, "null means nothing in a configuration; leave the key out"};
  const bool is_table = value.is_object();
  if (!is_table && !value.is_array()) {
    toml += value.text();
    return {};
  }
  toml += is_table ? "{ " : "[ ";
  const auto keys = value.keys();
  const auto elements = value.elements();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) toml += ", ";
    if (is_table) toml += quoted(keys[i]) + " = ";
    TRY(write(toml, elements[i]));
  }
  toml += is_table ? " }" : " ]";
  return {};
}

}  // namespace

Result<std::string> remote_overlay(std::string_view json) {
  if (json.size() > kRemoteOverlayBytesMax) {
    return Error{ErrorKind::OutOfRange, "a configuration from afar has at most " + std::to_string(kRemoteOverlayBytesMax) + " bytes"};
  }
  const Json document = TRY(Json::parse(json));
  if (!document.is_object()) return Error{ErrorKind::Malformed, "a configuration is a JSON object of sections"};
  std::string toml;
  for (const std::string& name : document.keys()) {
    const Json section = *document.at(name);
    TRY(check_section(name, section));
    toml += name + " = ";
    TRY(write(toml, section));
    toml += '\n';
  }
  return toml;
}

}  // namespace fieldpost
