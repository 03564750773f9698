// SPDX-License-Identifier: Apache-2.0
// `fieldpost fleet ...`: the operator's commands. Each is one request to the server; what is right and what is not is
// decided there, and here only how it is written and shown.
#include "agent/commands/fleet.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/quantity.hpp"
#include "agent/local/control_socket.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {

Result<Json> ask_fleet(const Arguments& arguments, JsonWriter& request) {
  constexpr milliseconds kAnswerTime{20'000};
  std::string path = arguments.text("--socket", "");
  if (path.empty()) {
    path = fleet_socket(load_configuration(arguments.text("--config", kFleetConfigurationPath), driver_table()).configuration.state_directory);
  }
  const auto answer = ask_control_socket(path, std::move(request).take(), kAnswerTime);
  if (!answer && answer.error().kind() == ErrorKind::NotPresent) {
    return Error{ErrorKind::NotPresent, "no server listens at " + path + "; is it running (`fieldpost fleet serve`), with this configuration?"};
  }
  if (!answer) return answer.error();
  Json json = TRY(Json::parse(*answer));
  if (const auto error = json.at("error")) return Error{ErrorKind::OutOfRange, error->string().value_or("?")};
  return json;
}

namespace {

constexpr CommandOption kFormatOption{"--format", "FORMAT", "lines for people, or one JSON document", "text|json"};
constexpr CommandOption kShadowOption{"--shadow", "NAME", "a named shadow; default: the classic one"};
constexpr CommandOption kPlainOptions[] = {kFleetConfigurationOption, kFleetSocketOption};
constexpr CommandOption kListOptions[] = {kFleetConfigurationOption, kFleetSocketOption, kFormatOption};
constexpr CommandOption kDevicesOptions[] = {kFleetConfigurationOption, kFleetSocketOption, kFormatOption,
                                             {"--group", "NAME", "only the devices of this group"}};
constexpr CommandOption kStateOptions[] = {kFleetConfigurationOption, kFleetSocketOption, kShadowOption};
constexpr CommandOption kCancelOptions[] = {kFleetConfigurationOption, kFleetSocketOption,
                                            {"--running", "", "also on devices that have begun with it"}};
constexpr CommandOption kCreateOptions[] = {
    {"--group", "NAME", "for the devices of this group"},
    {"--devices", "LIST", "for these: gw-1,gw-2,plant-*"},
    {"--all", "", "for every known device"},
    {"--name", "JOB", "its name; default: day and time"},
    {"--rate", "N", "tell so many devices a minute, 1 to 1000; default 1000"},
    {"--increment", "FACTOR", "let the rate grow by this factor, 1.1 to 5, ..."},
    {"--increment-after", "N", "... each time so many devices have succeeded"},
    {"--increment-by", "WHAT", "count the devices that succeeded, or those that were told", "success|told"},
    {"--rate-max", "N", "to which it may grow; default 1000"},
    {"--abort-threshold", "PERCENT", "stop when so many of the finished have failed, 0.01 to 100"},
    {"--min-executed", "N", "but not before so many have finished; default 1"},
    {"--abort-running", "", "when it stops: cancel it also on devices that have begun with it"},
    {"--timeout", "TIME", "a device that takes longer than 1m to 7d counts as timed out"},
    kFleetConfigurationOption,
    kFleetSocketOption,
};

ExitCode failed(std::string_view command, const Error& error) {
  complain(command, error.sentence());
  return ExitCode::failed;
}

std::string cell(const std::optional<Json>& member, bool is_instant) {
  if (!member) return "-";
  if (is_instant) {
    const std::string text = to_rfc3339(UtcTime{seconds{member->integer().value_or(0)}});
    return text.substr(0, text.find('.')) + "Z";
  }
  return member->string().value_or(member->text());
}

/// Rows of objects as columns. `names`: the members, comma between them, "@" behind an instant.
std::string table(const std::vector<Json>& rows, std::string_view names) {
  std::vector<std::vector<std::string>> lines{{}};
  std::vector<std::string> keys;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    keys.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  for (const std::string& key : keys) lines[0].push_back(key.substr(0, key.find('@')));
  for (const Json& row : rows) {
    auto& line = lines.emplace_back();
    for (std::size_t i = 0; i < keys.size(); ++i) line.push_back(cell(row.at(lines[0][i]), keys[i].ends_with('@')));
  }
  std::vector<std::size_t> widths(keys.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] + 2 - line[i].size(), ' ');
    }
    text += '\n';
  }
  return text;
}

ExitCode show_rows(const Arguments& arguments, std::string_view command, const std::vector<Json>& rows, std::string_view names) {
  if (arguments.text("--format", "text") == "text") {
    print(rows.empty() ? "there is none yet\n" : table(rows, names));
    return ExitCode::ok;
  }
  JsonWriter json;
  json.begin_object().key(command).begin_array();
  for (const Json& row : rows) json.raw(row.text());
  json.end_array().end_object();
  print(std::move(json).take() + "\n");
  return ExitCode::ok;
}

JsonWriter request(std::string_view what) {
  JsonWriter json;
  json.begin_object().member("do", what);
  return json;
}

void add_list(JsonWriter& json, std::string_view key, std::span<const std::string> words) {
  json.key(key).begin_array();
  for (const std::string& word : words) json.value(word);
  json.end_array();
}

/// Sends it, and gives what one member of the answer counts, in words.
ExitCode order(const Arguments& arguments, std::string_view command, JsonWriter& json, std::string_view counted, std::string_view words) {
  json.end_object();
  const auto answer = ask_fleet(arguments, json);
  if (!answer) return failed(command, answer.error());
  print(cell(answer->at(counted), false) + " " + std::string{words} + "\n");
  return ExitCode::ok;
}

ExitCode run_devices(const Arguments& arguments) {
  std::vector<Json> rows;
  std::string after;
  while (true) {
    JsonWriter json = request("devices");
    json.member("group", arguments.text("--group", "")).member("after", after).end_object();
    const auto answer = ask_fleet(arguments, json);
    if (!answer) return failed("fleet devices", answer.error());
    const auto page = answer->at("rows") ? answer->at("rows")->elements() : std::vector<Json>{};
    if (page.empty()) break;
    rows.insert(rows.end(), page.begin(), page.end());
    after = cell(page.back().at("device"), false);
  }
  return show_rows(arguments, "devices", rows, "device,online,seen@,version,groups,job");
}

ExitCode list(const Arguments& arguments, std::string_view what, std::string_view key, std::string_view names) {
  JsonWriter json = request(what);
  json.end_object();
  const auto answer = ask_fleet(arguments, json);
  if (!answer) return failed("fleet " + std::string{what}, answer.error());
  return show_rows(arguments, key, answer->at("rows") ? answer->at("rows")->elements() : std::vector<Json>{}, names);
}

ExitCode run_group_list(const Arguments& arguments) { return list(arguments, "group list", "groups", "group,devices"); }
ExitCode run_job_list(const Arguments& arguments) {
  return list(arguments, "job list", "jobs", "job,state,created@,ended@,devices,succeeded,failed,reason");
}

ExitCode label(const Arguments& arguments, std::string_view what, std::string_view words) {
  JsonWriter json = request(what);
  json.member("name", arguments.words()[0]);
  add_list(json, "devices", std::span{arguments.words()}.subspan(1));
  return order(arguments, "fleet " + std::string{what}, json, "changed", words);
}

ExitCode run_group_add(const Arguments& arguments) { return label(arguments, "group add", "devices added"); }
ExitCode run_group_remove(const Arguments& arguments) { return label(arguments, "group remove", "devices removed"); }

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::size_t from = 0;
  while (from <= list.size()) {
    const std::size_t comma = std::min(list.find(',', from), list.size());
    if (comma > from) words.push_back(list.substr(from, comma - from));
    from = comma + 1;
  }
  return words;
}

struct NumberOption {
  std::string_view option;
  std::string_view key;
  double scale;
};
constexpr NumberOption kNumbers[] = {
    {"--rate", "rate", 1},        {"--increment", "increment_percent", 100},       {"--increment-after", "increment_after", 1},
    {"--rate-max", "rate_max", 1}, {"--abort-threshold", "abort_hundredths", 100}, {"--min-executed", "min_executed", 1},
};

/// Errors: Malformed, OutOfRange
Result<void> add_numbers(const Arguments& arguments, JsonWriter& json) {
  constexpr double kLargest = 1e9;
  for (const NumberOption& number : kNumbers) {
    if (!arguments.has(number.option)) continue;
    const std::string text = arguments.text(number.option, "");
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const double scaled = value * number.scale;
    if (text.empty() || *end != '\0' || !(scaled > 0 && scaled < kLargest)) {
      return Error{ErrorKind::Malformed, std::string{number.option} + " is \"" + text + "\"; it must be a number above 0"};
    }
    const auto whole = static_cast<std::int64_t>(scaled + 0.5);
    if (number.scale == 1 && static_cast<double>(whole) != scaled) {
      return Error{ErrorKind::Malformed, std::string{number.option} + " is \"" + text + "\"; it must be a whole number"};
    }
    json.member(number.key, whole);
  }
  if (arguments.has("--increment") != arguments.has("--increment-after")) {
    return Error{ErrorKind::Malformed, "--increment and --increment-after go together"};
  }
  if (arguments.has("--timeout")) {
    const auto timeout = TRY(parse_duration(arguments.text("--timeout", "")).with_context("--timeout"));
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(timeout).count();
    if (minutes < 1) return Error{ErrorKind::OutOfRange, "--timeout must be from 1m to 7d"};
    json.member("timeout_minutes", std::int64_t{minutes});
  }
  return {};
}

/// "20261121-022900", of UTC.
std::string time_stamp() {
  std::string text = to_rfc3339(SystemClock{}.utc().time).substr(0, 19);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  std::replace(text.begin(), text.end(), 'T', '-');
  return text;
}

ExitCode run_job_create(const Arguments& arguments) {
  constexpr std::string_view kName = "fleet job create";
  constexpr std::size_t kFileBytesMax = 64U << 10U;
  if (int{arguments.has("--group")} + int{arguments.has("--devices")} + int{arguments.has("--all")} != 1) {
    complain(kName, "one of --group, --devices and --all says for whom; see fieldpost fleet job create --help");
    return ExitCode::usage;
  }
  const auto document = read_file(arguments.words()[0], kFileBytesMax);
  if (!document) return failed(kName, document.error());
  JsonWriter json = request("job create");
  json.member("name", arguments.text("--name", time_stamp())).member("document", *document);
  json.member("group", arguments.text("--group", "")).member("all", arguments.has("--all"));
  add_list(json, "devices", split(arguments.text("--devices", "")));
  json.member("increment_by_told", arguments.text("--increment-by", "success") == "told").member("abort_running", arguments.has("--abort-running"));
  if (const auto added = add_numbers(arguments, json); !added) {
    complain(kName, added.error().sentence());
    return ExitCode::usage;
  }
  json.end_object();
  const auto answer = ask_fleet(arguments, json);
  if (!answer) return failed(kName, answer.error());
  print("job " + cell(answer->at("job"), false) + " for " + cell(answer->at("devices"), false) + " devices\n");
  return ExitCode::ok;
}

ExitCode run_job_show(const Arguments& arguments) {
  JsonWriter json = request("job show");
  json.member("name", arguments.words()[0]).end_object();
  const auto answer = ask_fleet(arguments, json);
  if (!answer) return failed("fleet job show", answer.error());
  if (arguments.text("--format", "text") == "json") {
    print(answer->text() + "\n");
    return ExitCode::ok;
  }
  for (const std::string& key : answer->keys()) {
    const auto member = answer->at(key);
    if (key == "failures") {
      if (const auto rows = member->elements(); !rows.empty()) print("\nlast failures:\n" + table(rows, "device,status,updated@,details"));
      continue;
    }
    std::string name = key;
    name.resize(std::max<std::size_t>(name.size() + 1, 19), ' ');
    print(name + cell(member, key == "created" || key == "ended") + "\n");
  }
  return ExitCode::ok;
}

ExitCode run_job_cancel(const Arguments& arguments) {
  JsonWriter json = request("job cancel");
  json.member("name", arguments.words()[0]).member("running", arguments.has("--running"));
  return order(arguments, "fleet job cancel", json, "canceled", "devices will not do it");
}

ExitCode run_state_get(const Arguments& arguments) {
  JsonWriter json = request("state get");
  json.member("name", arguments.words()[0]).member("shadow", arguments.text("--shadow", "")).end_object();
  const auto answer = ask_fleet(arguments, json);
  if (!answer) return failed("fleet state get", answer.error());
  print(answer->at("devices")->text() + "\n");
  return ExitCode::ok;
}

ExitCode run_state_set(const Arguments& arguments) {
  constexpr std::size_t kFileBytesMax = 64U << 10U;
  std::string document = arguments.words()[1];
  if (!document.starts_with("{")) {
    const auto content = read_file(document, kFileBytesMax);
    if (!content) return failed("fleet state set", content.error());
    document = *content;
  }
  JsonWriter json = request("state set");
  json.member("name", arguments.words()[0]).member("shadow", arguments.text("--shadow", "")).member("document", document);
  return order(arguments, "fleet state set", json, "devices", "devices are to be so");
}

#define FIELDPOST_EXIT_CODES "\nexit codes: 0 done; 1 failed (standard error says why); 2 wrong command line\n"

constexpr Command kDevices{"fleet devices", "who is there: last seen, version, groups, present job",
                           "Every device that the server has heard of, or that was put into a group. \"online\" is what the device\n"
                           "and the broker say (retained, and as its will); \"seen\" is when it last said anything to the server.\n" FIELDPOST_EXIT_CODES,
                           kDevicesOptions, "  fieldpost fleet devices\n  fieldpost fleet devices --group plant-7 --format json\n", &run_devices};
constexpr Command kGroupList{"fleet group list", "the groups, and how many devices each has",
                             "Groups are labels of yours: the devices do not know of them, and may have several.\n" FIELDPOST_EXIT_CODES, kListOptions,
                             "  fieldpost fleet group list\n", &run_group_list};
constexpr Command kGroupAdd{"fleet group add", "put devices into a group",
                            "A word with * or ? means all known devices that match now; quote it, or the shell will look for files.\n"
                            "A device that was never heard of is noted down, and can be given a job before it comes.\n" FIELDPOST_EXIT_CODES,
                            kPlainOptions, "  fieldpost fleet group add plant-7 gw-70 gw-71\n  fieldpost fleet group add canary 'gw-*1'\n", &run_group_add,
                            "GROUP DEVICE..."};
constexpr Command kGroupRemove{"fleet group remove", "take devices out of a group",
                               "A group without devices is gone.\n" FIELDPOST_EXIT_CODES, kPlainOptions,
                               "  fieldpost fleet group remove canary gw-71\n  fieldpost fleet group remove canary '*'\n", &run_group_remove, "GROUP DEVICE..."};
constexpr Command kJobCreate{
    "fleet job create", "give a job to devices, a few at a time",
    "FILE holds the job document: JSON, up to 32 KiB; what it may say is told in agent/jobs/README.md. Devices\n"
    "that are away get it when they come. The devices are told in an order of the job's own, so many a minute;\n"
    "the rate may grow with the number that succeeded. If too many of those that have finished did not succeed\n"
    "(failed, rejected, timed out), it stops: devices that have not begun will not hear of it.\n" FIELDPOST_EXIT_CODES,
    kCreateOptions,
    "  fieldpost fleet job create update.json --group canary --name update-7 --timeout 30m\n"
    "  fieldpost fleet job create update.json --all --rate 10 --increment 2 --increment-after 50 \\\n"
    "      --abort-threshold 5 --min-executed 20\n"
    "  fieldpost fleet job watch update-7\n",
    &run_job_create, "FILE"};
constexpr Command kJobList{"fleet job list", "the jobs, the newest first", "Jobs that are over are kept for 90 days.\n" FIELDPOST_EXIT_CODES, kListOptions,
                           "  fieldpost fleet job list\n", &run_job_list};
constexpr Command kJobShow{"fleet job show", "all about one job", "Its document, plan, counts and last failures.\n" FIELDPOST_EXIT_CODES, kListOptions,
                           "  fieldpost fleet job show update-7\n  fieldpost fleet job show update-7 --format json | jq .counts\n", &run_job_show, "JOB"};
constexpr Command kJobCancel{"fleet job cancel", "stop a job",
                             "Devices that have not begun will not hear of it. Those that have go on and report, unless --running is\n"
                             "given: then they are told, and stop where that is safe.\n" FIELDPOST_EXIT_CODES,
                             kCancelOptions, "  fieldpost fleet job cancel update-7\n  fieldpost fleet job cancel update-7 --running\n", &run_job_cancel, "JOB"};
constexpr Command kStateGet{"fleet state get", "what devices are to be, and what they say they are",
                            "The shadow of a device, or of each of a group: desired, reported, and the difference (delta).\n" FIELDPOST_EXIT_CODES,
                            kStateOptions, "  fieldpost fleet state get gw-7 | jq\n", &run_state_get, "DEVICE-OR-GROUP"};
constexpr Command kStateSet{"fleet state set", "say what devices are to be",
                            "The JSON object, or the file that holds it, is laid over the desired state; null takes a key away.\n"
                            "Devices that are away hear of it when they come. A group means those that are in it now.\n" FIELDPOST_EXIT_CODES,
                            kStateOptions,
                            "  fieldpost fleet state set gw-7 '{\"sampling\":{\"interval\":\"5s\"}}'\n  fieldpost fleet state set plant-7 state.json\n",
                            &run_state_set, "DEVICE-OR-GROUP JSON"};

#undef FIELDPOST_EXIT_CODES

constexpr const Command* kInner[] = {&kFleetServeCommand, &kDevices, &kGroupAdd,  &kGroupRemove,       &kGroupList, &kJobCreate,
                                     &kFleetWatchCommand, &kJobShow, &kJobCancel, &kJobList, &kStateGet,  &kStateSet};

}  // namespace

constexpr Command kFleetCommand{
    "fleet", "without a cloud: give jobs and desired state to many devices over your broker",
    "`fleet serve` runs where the broker is; the others talk to it there, through a socket.\n"
    "\n"
    "exit codes: 0 done; 1 failed (standard error says why); 2 wrong command line\n",
    {},
    "  fieldpost fleet serve --config fleet.toml &\n"
    "  fieldpost fleet group add canary gw-1 gw-2\n"
    "  fieldpost fleet job create update.json --group canary --name update-7\n"
    "  fieldpost fleet job watch update-7\n",
    nullptr, {}, kInner};

}  // namespace fieldpost
