// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/fleet_register.hpp"

#include <algorithm>

#include "platform/glob.hpp"
#include "platform/json_member.hpp"

namespace fieldpost {
namespace {

/// "Last seen" is not written anew for each of many messages.
constexpr std::int64_t kSeenEvery = 10;
constexpr std::size_t kPresenceBytesMax = 1024;
constexpr std::size_t kVersionBytesMax = 64;

/// It comes to an operator's terminal, which it must not steer, and whole characters only.
std::string plain_text(const Json& json, std::string_view key) {
  std::string text = member_text(json, key).substr(0, kVersionBytesMax);
  std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~'; }, '?');
  return text;
}

}  // namespace

bool FleetRegister::is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kNameBytesMax && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7F' || c == '/' || c == '+' || c == '#' || c == '*' || c == '?' || c == ',';
  });
}

bool FleetRegister::heard(const std::string& device, std::int64_t now) {
  auto known = database_.ask("SELECT seen FROM device WHERE name = ?", {device});
  if (known.next()) {
    if (known.is_null(0) || known.integer(0) < now - kSeenEvery || known.integer(0) > now) {
      database_.run("UPDATE device SET seen = ? WHERE name = ?", {now, device});
    }
    return true;
  }
  auto count = database_.ask("SELECT count(*) FROM device");
  if (!is_name(device) || !count.next() || count.integer(0) >= kDevicesMax) return false;
  database_.run("INSERT INTO device(name, seen) VALUES(?, ?)", {device, now});
  return true;
}

bool FleetRegister::presence(const std::string& device, std::string_view payload, std::int64_t now) {
  if (payload.size() > kPresenceBytesMax) return false;
  const auto json = Json::parse(payload);
  const auto online = json && json->at("online") ? json->at("online")->boolean() : std::nullopt;
  if (!online) return false;
  if (!*online) {
    // Of one that was away already this is old news, retained.
    database_.run("UPDATE device SET online = 0, seen = ? WHERE name = ? AND (online IS NULL OR online = 1)", {now, device});
    return false;
  }
  if (!heard(device, now)) return false;
  const bool is_new = database_.run("UPDATE device SET online = 1 WHERE name = ? AND (online IS NULL OR online = 0)", {device}) > 0;
  const std::string version = plain_text(*json, "version");
  const std::string started = plain_text(*json, "started");
  database_.run("UPDATE device SET seen = ?1, version = ?2, started = ?3 WHERE name = ?4 AND (seen <> ?1 OR started IS NOT ?3)",
                {now, version, started, device});
  return is_new;
}

Result<std::vector<std::string>> FleetRegister::matching(const std::vector<std::string>& words, bool unknown_allowed) {
  std::vector<std::string> found;
  for (const std::string& word : words) {
    const bool is_glob = word.find_first_of("*?") != std::string::npos;
    const std::size_t before = found.size();
    if (is_glob) {
      auto rows = database_.ask("SELECT name FROM device ORDER BY name");
      while (rows.next()) {
        if (matches_glob(word, rows.text(0))) found.push_back(rows.text(0));
      }
    } else if (!is_name(word)) {
      return Error{ErrorKind::OutOfRange, "\"" + word + "\" is no name of a device"};
    } else {
      auto rows = database_.ask("SELECT 1 FROM device WHERE name = ?", {word});
      if (unknown_allowed || rows.next()) found.push_back(word);
    }
    if (found.size() > before) continue;
    return Error{ErrorKind::NotPresent, is_glob ? "no known device matches \"" + word + "\""
                                                : "there is no device \"" + word + "\"; one that was never heard of can be put into a group "
                                                  "(fieldpost fleet group add), and then be given a job"};
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Result<std::int64_t> FleetRegister::label(const std::string& group, const std::vector<std::string>& words, bool remove) {
  if (!is_name(group)) return Error{ErrorKind::OutOfRange, "\"" + group + "\" is no name of a group"};
  const auto devices = TRY(matching(words, !remove));
  std::int64_t changed = 0;
  for (const std::string& device : devices) {
    if (remove) {
      changed += database_.run("DELETE FROM member WHERE label = ? AND device = ?", {group, device});
      continue;
    }
    database_.run("INSERT OR IGNORE INTO device(name) VALUES(?)", {device});
    changed += database_.run("INSERT OR IGNORE INTO member(label, device) VALUES(?, ?)", {group, device});
  }
  return changed;
}

Result<std::vector<std::string>> FleetRegister::devices_of(const std::string& group, const std::vector<std::string>& words, bool all) {
  if (!words.empty()) return matching(words, false);
  std::vector<std::string> found;
  auto rows = all ? database_.ask("SELECT name FROM device ORDER BY name")
                  : database_.ask("SELECT device FROM member WHERE label = ? ORDER BY device", {group});
  while (rows.next()) found.push_back(rows.text(0));
  if (!found.empty()) return found;
  return Error{ErrorKind::NotPresent, all ? "no device was heard of yet" : "there is no group \"" + group + "\""};
}

void FleetRegister::write_devices(JsonWriter& json, const std::string& group, const std::string& after) {
  auto rows = database_.ask(
      "SELECT name AS device, CASE WHEN online THEN 'yes' WHEN online = 0 THEN 'no' ELSE '?' END AS online, seen AS seen, version AS version,"
      " (SELECT group_concat(label) FROM member WHERE device = name) AS groups,"
      " (SELECT job || ' ' || status FROM execution WHERE device = name AND status IN ('IN_PROGRESS', 'QUEUED')"
      " ORDER BY status, queued, job LIMIT 1) AS job"
      " FROM device WHERE name > ?2 AND (?1 = '' OR EXISTS (SELECT 1 FROM member WHERE label = ?1 AND device = name)) ORDER BY name",
      {group, after});
  rows.write_all(json, kPageBytes);
}

void FleetRegister::write_groups(JsonWriter& json) {
  auto rows = database_.ask("SELECT label AS [group], count(*) AS devices FROM member GROUP BY label ORDER BY label");
  rows.write_all(json);
}

}  // namespace fieldpost
