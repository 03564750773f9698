// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/operator_desk.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "platform/json_member.hpp"

namespace fieldpost {
namespace {

/// What is there and no number is out of every range.
std::int64_t number(const Json& request, std::string_view key, std::int64_t otherwise) {
  return request.at(key) ? member_integer(request, key).value_or(-1) : otherwise;
}

std::vector<std::string> words(const Json& request, std::string_view key) {
  std::vector<std::string> found;
  if (const auto member = request.at(key)) {
    for (const Json& each : member->elements()) found.push_back(each.string().value_or(""));
  }
  return found;
}

}  // namespace

struct OperatorDesk::Row {
  std::string_view name;
  Result<void> (OperatorDesk::*answer)(const Json&, std::int64_t, JsonWriter&);
};

constexpr OperatorDesk::Row OperatorDesk::kRows[] = {
    {"devices", &OperatorDesk::devices},       {"group list", &OperatorDesk::groups},         {"group add", &OperatorDesk::group_add},
    {"group remove", &OperatorDesk::group_remove}, {"job create", &OperatorDesk::job_create}, {"job list", &OperatorDesk::job_list},
    {"job show", &OperatorDesk::job_show},     {"job cancel", &OperatorDesk::job_cancel},     {"state get", &OperatorDesk::state_get},
    {"state set", &OperatorDesk::state_set},
};

Result<void> OperatorDesk::answer(const Json& request, std::int64_t now, JsonWriter& json) {
  const std::string wanted = member_text(request, "do");
  for (const Row& row : kRows) {
    if (row.name == wanted) return (this->*row.answer)(request, now, json);
  }
  return Error{ErrorKind::OutOfRange, "this server does not know \"" + wanted + "\""};
}

Result<void> OperatorDesk::devices(const Json& request, std::int64_t, JsonWriter& json) {
  const std::string group = member_text(request, "group");
  if (!group.empty()) TRY(devices_.devices_of(group, {}, false));
  json.key("rows");
  devices_.write_devices(json, group, member_text(request, "after"));
  return {};
}

Result<void> OperatorDesk::groups(const Json&, std::int64_t, JsonWriter& json) {
  json.key("rows");
  devices_.write_groups(json);
  return {};
}

Result<void> OperatorDesk::label(const Json& request, bool remove, JsonWriter& json) {
  json.member("changed", TRY(devices_.label(member_text(request, "name"), words(request, "devices"), remove)));
  return {};
}

Result<void> OperatorDesk::group_add(const Json& request, std::int64_t, JsonWriter& json) { return label(request, false, json); }
Result<void> OperatorDesk::group_remove(const Json& request, std::int64_t, JsonWriter& json) { return label(request, true, json); }

Result<void> OperatorDesk::job_create(const Json& request, std::int64_t now, JsonWriter& json) {
  FleetJob job;
  job.id = member_text(request, "name");
  job.document = member_text(request, "document");
  job.devices = TRY(devices_.devices_of(member_text(request, "group"), words(request, "devices"), member_flag(request, "all")));
  job.timeout_minutes = number(request, "timeout_minutes", 0);
  job.abort_running = member_flag(request, "abort_running");
  RolloutOptions& rollout = job.rollout;
  rollout.per_minute = number(request, "rate", rollout.per_minute);
  rollout.increment_after = number(request, "increment_after", 0);
  rollout.increment_percent = number(request, "increment_percent", 100);
  rollout.increment_by_success = !member_flag(request, "increment_by_told");
  rollout.per_minute_max = number(request, "rate_max", std::max(rollout.per_minute, rollout.per_minute_max));
  rollout.abort_hundredths = number(request, "abort_hundredths", 0);
  rollout.abort_min = number(request, "min_executed", rollout.abort_min);
  TRY(jobs_.create(job, now));
  json.member("job", job.id).member("devices", std::uint64_t{job.devices.size()});
  return {};
}

Result<void> OperatorDesk::job_list(const Json&, std::int64_t, JsonWriter& json) {
  json.key("rows");
  jobs_.write_list(json);
  return {};
}

Result<void> OperatorDesk::job_show(const Json& request, std::int64_t, JsonWriter& json) {
  const std::string id = member_text(request, "name");
  if (!jobs_.write(json, id)) return Error{ErrorKind::NotPresent, "there is no job \"" + id + "\""};
  return {};
}

Result<void> OperatorDesk::job_cancel(const Json& request, std::int64_t now, JsonWriter& json) {
  json.member("canceled", TRY(jobs_.cancel(member_text(request, "name"), member_flag(request, "running"), now)));
  return {};
}

Result<std::vector<std::string>> OperatorDesk::targets(const std::string& name) {
  auto one = devices_.devices_of({}, {name}, false);
  if (one) return one;
  auto group = devices_.devices_of(name, {}, false);
  if (group) return group;
  return Error{ErrorKind::NotPresent, "there is neither a device nor a group \"" + name + "\""};
}

Result<void> OperatorDesk::state_get(const Json& request, std::int64_t, JsonWriter& json) {
  // With one more it is still an answer that the socket takes: 1 MiB.
  constexpr std::size_t kBytesMax = 768U << 10U;
  const std::string shadow = member_text(request, "shadow");
  const auto devices = TRY(targets(member_text(request, "name")));
  json.key("devices").begin_object();
  for (const std::string& device : devices) {
    if (json.bytes() > kBytesMax) return Error{ErrorKind::OutOfRange, "these states are too many to be shown at once: ask for a smaller group, or for single devices"};
    json.key(device).raw(shadows_.document(device, shadow).value_or("null"));
  }
  json.end_object();
  return {};
}

Result<void> OperatorDesk::state_set(const Json& request, std::int64_t now, JsonWriter& json) {
  const std::string shadow = member_text(request, "shadow");
  const auto document = Json::parse(member_text(request, "document"));
  if (!document) return document.error().with_context("the state");
  if (!document->is_object()) return Error{ErrorKind::Malformed, "the state is not a JSON object"};
  if (!shadow.empty() && (!FleetRegister::is_name(shadow) || shadow.size() > DeviceShadows::kNameBytesMax)) {
    return Error{ErrorKind::OutOfRange, "\"" + shadow + "\" is no name of a shadow"};
  }
  const std::string body = R"({"state":{"desired":)" + document->text() + "}}";
  const std::string place = shadow.empty() ? "update" : "name/" + shadow + "/update";
  const auto devices = TRY(targets(member_text(request, "name")));
  for (const std::string& device : devices) {
    const int refusal = shadows_.receive(device, place, body, now);
    if (refusal != 0) {
      return Error{ErrorKind::OutOfRange, "the state of " + device + (refusal == 413 ? " would be larger than 64 KiB, or its shadow one too many"
                                                                                     : " cannot be that: a null inside an array?")};
    }
  }
  json.member("devices", std::uint64_t{devices.size()});
  return {};
}

}  // namespace fieldpost
