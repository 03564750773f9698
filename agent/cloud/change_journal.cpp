// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/change_journal.hpp"

#include "platform/durable_file.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

constexpr std::size_t kFileBytesMax = 512U << 10U;
constexpr State kStates[] = {State::none, State::armed, State::trial, State::confirmed, State::refused, State::put_back};

bool is_object(const std::string& text) {
  const auto json = Json::parse(text);
  return json && json->is_object();
}

Result<ChangeRecord> parse(std::string_view text) {
  const Json json = TRY(Json::parse(text));
  const Error wrong{ErrorKind::Malformed, "a configuration change is recorded in a way that this agent does not know"};
  const auto text_at = [&](std::string_view key) {
    const auto member = json.at(key);
    return member ? member->string() : std::nullopt;
  };
  const auto state = text_at("state");
  const auto id = text_at("id");
  const auto asked = text_at("asked");
  const auto confirmed = text_at("confirmed");
  if (!state || !id || !asked || !confirmed || !is_object(*confirmed)) return wrong;
  ChangeRecord record;
  bool known = false;
  for (const State each : kStates) {
    if (to_string(each) != *state) continue;
    record.change.state = each;
    known = true;
  }
  if (!known || (!is_settled(record.change.state) && !is_object(*asked))) return wrong;
  record.change.id = *id;
  record.change.asked = *asked;
  record.change.cause = text_at("cause").value_or("");
  record.confirmed = *confirmed;
  if (const auto alive = json.at("alive")) {
    for (const Json& name : alive->elements()) record.alive.push_back(name.string().value_or(""));
  }
  return record;
}

}  // namespace

Result<ChangeRecord> ChangeJournal::begin() const {
  const auto text = read_file(path_, kFileBytesMax);
  if (!text && text.error().kind() == ErrorKind::NotPresent) return ChangeRecord{};
  if (!text) return text.error();
  ChangeRecord record = TRY(parse(*text));
  ConfigurationChange& change = record.change;
  if (change.state == State::armed) {
    change.state = State::trial;
    if (const auto kept = keep(record); !kept) {
      change.state = State::put_back;
      change.cause = "not tried: the trial could not be written down: " + kept.error().sentence();
    }
  } else if (change.state == State::trial) {
    change.state = State::put_back;
    change.cause = "the agent ended before it was confirmed: by a crash, a power cut, or because somebody started it anew";
    // Should this write fail, the next start does the same.
    static_cast<void>(keep(record));
  }
  change.running = change.state == State::trial ? change.asked : record.confirmed;
  return record;
}

Result<void> ChangeJournal::keep(const ChangeRecord& record) const {
  JsonWriter json;
  json.begin_object().member("state", to_string(record.change.state)).member("id", record.change.id);
  // As texts: what is in them is for the reader of configurations to judge.
  json.member("asked", record.change.asked).member("confirmed", record.confirmed).member("cause", record.change.cause);
  json.key("alive").begin_array();
  for (const std::string& name : record.alive) json.value(name);
  json.end_array().end_object();
  return replace_file_durably(path_, std::move(json).take() + "\n");
}

}  // namespace fieldpost
