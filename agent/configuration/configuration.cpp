// SPDX-License-Identifier: Apache-2.0
// From sections to the option structs of the stages, with the checks that need more than one key.
#include "agent/configuration/configuration.hpp"

#include <algorithm>
#include <array>

#include "agent/configuration/cloud_section.hpp"
#include "agent/configuration/driver_options.hpp"
#include "agent/configuration/edit_distance.hpp"
#include "agent/configuration/jobs_section.hpp"
#include "agent/configuration/overlay.hpp"
#include "agent/configuration/section_reader.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

using File = SectionReader::File;

constexpr std::size_t kRulesMax = 1'000;

/// Sections at the top of the file.
constexpr std::string_view kTopKeys[] = {"device", "broker", "identity", "sampling", "source",  "outbox",
                                         "series", "rule",   "self",     "log",      "control", "sync", "cloud", "jobs"};

void check_top_keys(const TomlValue& document, Problems& problems) {
  for (const TomlMember& member : document.table) {
    const auto* found = std::find(std::begin(kTopKeys), std::end(kTopKeys), member.key);
    if (found != std::end(kTopKeys)) continue;
    const bool is_section = member.value.type == TomlValue::Type::table ||
                            member.value.type == TomlValue::Type::array;
    std::string sentence = is_section ? "unknown section [" + member.key + "]"
                                      : "unknown key \"" + member.key + "\" outside any section";
    const std::string_view meant = nearest(member.key, kTopKeys);
    if (!meant.empty()) sentence += "; did you mean [" + std::string{meant} + "]?";
    problems.error(member.line, std::move(sentence));
  }
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/// Names stand in topics, file names and client ids: AWS allows 128 of these bytes, Azure 128.
bool is_device_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), is_name_byte);
}

void read_device(const SectionReader& device, const ConfigurationContext& context,
                 Configuration& result) {
  result.device_name = device.given("name") ? device.text("name") : context.host_name;
  if (!is_device_name(result.device_name)) {
    device.error_at("name", device.given("name")
                                ? "\"name\" in [device] is \"" + result.device_name +
                                      "\"; it may hold 1 to 128 letters, digits and . _ -"
                                : "the host name \"" + result.device_name +
                                      "\" cannot be the device's; set \"name\" in [device]");
  }
  result.state_directory = device.path("state_directory");
}

/// First line of the file that `key` names.
std::string read_secret(const SectionReader& reader, std::string_view key) {
  constexpr std::size_t kSecretBytesMax = 4096;
  const std::string path = reader.path(key);
  const auto content = read_file(path, kSecretBytesMax);
  std::string line = content ? content->substr(0, content->find('\n')) : "";
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (content && line.empty()) reader.error_at(key, std::string{key} + " names " + path + ", whose first line is empty");
  if (!content) reader.error_at(key, std::string{key} + ": " + content.error().sentence());
  return line;
}

bool is_plaintext(std::string_view url) {
  return url.starts_with("mqtt://") || url.starts_with("ws://");
}

void check_url(const SectionReader& broker) {
  const std::string url = broker.text("url");
  if (!broker.given("url")) return;
  const std::size_t end = url.find("://");
  const std::string scheme = url.substr(0, end);
  constexpr std::string_view kSchemes[] = {"mqtts", "wss", "mqtt", "ws"};
  const auto* found = std::find(std::begin(kSchemes), std::end(kSchemes), scheme);
  if (end == std::string::npos || found == std::end(kSchemes)) {
    broker.error_at("url", "\"url\" in [broker] is \"" + url +
                               "\"; it must begin with mqtts://, wss://, mqtt:// or ws://");
  } else if (url.size() == end + 3) {
    broker.error_at("url", "\"url\" in [broker] is \"" + url + "\"; it names no host");
  } else if (is_plaintext(url) && !broker.boolean("plaintext_allowed")) {
    broker.error_at("url", "\"url\" in [broker] is \"" + url +
                               "\", which is not encrypted; use " +
                               (scheme == "ws" ? "wss://" : "mqtts://") +
                               ", or set plaintext_allowed = true");
  } else if (is_plaintext(url)) {
    broker.warning_at("url", "\"url\" in [broker] is not encrypted: anybody on the way can read and "
                             "forge");
  }
}

void check_credentials(const SectionReader& broker) {
  const auto needs = [&](std::string_view key, std::string_view other) {
    if (!broker.given(key) || broker.written(other)) return;
    broker.error_at(key, "\"" + std::string{key} + "\" in [broker] needs \"" + std::string{other} +
                             "\" beside it");
  };
  needs("certificate_file", "key_file");
  needs("key_file", "certificate_file");
  needs("key_password_file", "key_file");
  needs("password_file", "username");
  if (broker.text("tls_min") == "1.3" && broker.text("tls_max") == "1.2") {
    broker.error_at("tls_min", "\"tls_min\" in [broker] is 1.3, but \"tls_max\" is 1.2");
  }
}

void check_topic_prefix(const SectionReader& broker) {
  const std::string prefix = broker.text("topic_prefix");
  const bool wrong = prefix.empty() || prefix.size() > 256 || prefix.front() == '/' ||
                     prefix.back() == '/' || prefix.front() == '$' ||
                     prefix.find_first_of("+#") != std::string::npos ||
                     prefix.find('\0') != std::string::npos;
  if (wrong) {
    broker.error_at("topic_prefix", "\"topic_prefix\" in [broker] is \"" + prefix +
                                        "\"; it may not be empty, hold + or #, or begin or end with /");
  }
}

LinkOptions::TlsVersion tls_version(const std::string& text) {
  return text == "1.2" ? LinkOptions::TlsVersion::v1_2 : LinkOptions::TlsVersion::v1_3;
}

void read_broker(const SectionReader& broker, File& file, Configuration& result) {
  result.has_broker = broker.present();
  result.topic_prefix = broker.text("topic_prefix");
  if (!broker.present()) {
    file.problems.warning(0, "no [broker]: readings stay in the outbox until its quota is reached");
    return;
  }
  check_url(broker);
  check_credentials(broker);
  check_topic_prefix(broker);
  LinkOptions& link = result.link;
  link.url = broker.text("url");
  link.plaintext_allowed = broker.boolean("plaintext_allowed");
  link.client_id = result.device_name;
  link.mqtt_version = broker.text("mqtt_version") == "5" ? LinkOptions::MqttVersion::v5
                                                         : LinkOptions::MqttVersion::v3_1_1;
  link.keep_alive = std::chrono::duration_cast<seconds>(broker.duration("keep_alive"));
  link.username = broker.text("username");
  link.ca_file = broker.path("ca_file");
  link.certificate_file = broker.path("certificate_file");
  link.key_file = broker.path("key_file");
  link.crl_file = broker.path("crl_file");
  link.server_name = broker.text("server_name");
  link.alpn = broker.texts("alpn");
  link.tls_min = tls_version(broker.text("tls_min"));
  link.tls_max = tls_version(broker.text("tls_max"));
  link.proxy = broker.text("proxy");
  link.connect_timeout = std::chrono::duration_cast<seconds>(broker.duration("connect_timeout"));
  link.acknowledge_timeout =
      std::chrono::duration_cast<seconds>(broker.duration("acknowledge_timeout"));
  link.backoff_max = std::chrono::duration_cast<milliseconds>(broker.duration("backoff_max"));
  if (!file.files_are_checked) return;
  if (broker.given("password_file")) link.password = read_secret(broker, "password_file");
  if (broker.given("key_password_file")) {
    link.key_password = read_secret(broker, "key_password_file");
  }
}

void read_identity(const SectionReader& identity, Configuration& result) {
  using Authority = IdentityOptions::Authority;
  IdentityOptions& options = result.identity;
  const std::string name = identity.text("authority");
  options.authority = name == "mqtt" ? Authority::mqtt : name == "aws" ? Authority::aws : name == "est" ? Authority::est : Authority::none;
  options.key = key_kind(identity.text("key")).value_or(KeyKind::p256);
  options.subject = identity.given("subject") ? identity.text("subject") : "CN=" + result.device_name;
  options.device = result.device_name;
  if (options.authority == Authority::aws) options.renew_after = kAwsRenewAfter;
  if (identity.given("renew_after")) options.renew_after = identity.duration("renew_after");
  options.est_url = identity.text("est_url");
  options.est_ca_file = identity.path("est_ca_file");
  options.aws_template = identity.text("aws_template");
  if (options.authority != Authority::none && !result.link.certificate_file.empty()) {
    identity.error_at("authority", "\"authority\" in [identity] renews what `fieldpost provision` made; [broker] names a "
                                   "certificate_file of its own: leave one of the two out");
  }
  const auto needs = [&](Authority authority, const char* key) {
    if (options.authority == authority && identity.text(key).empty()) {
      identity.error_at("authority", "\"authority\" in [identity] is \"" + name + "\", which needs \"" + key + "\" beside it");
    }
  };
  needs(Authority::est, "est_url");
  needs(Authority::aws, "aws_template");
  if (!options.est_url.empty()) {
    if (const auto url = check_est_url(options.est_url); !url) identity.error_at("est_url", "\"est_url\" in [identity]: " + url.error().sentence());
  }
  if (auto list = template_parameters(identity.text("aws_parameters"))) {
    options.aws_parameters = std::move(*list);
  } else {
    identity.error_at("aws_parameters", "\"aws_parameters\" in [identity]: " + list.error().sentence());
  }
}

constexpr std::pair<std::string_view, PayloadOptions::Format> kFormats[] = {
    {"json", PayloadOptions::Format::json},
    {"native", PayloadOptions::Format::native},
    {"senml+json", PayloadOptions::Format::senml_json},
    {"senml+cbor", PayloadOptions::Format::senml_cbor},
    {"sparkplug_b", PayloadOptions::Format::sparkplug_b},
};

void read_sync(const SectionReader& sync, Configuration& result) {
  if (sync.given("bytes_per_second_max")) result.byte_limits.per_second = sync.size("bytes_per_second_max");
  if (sync.given("bytes_per_day_max")) result.byte_limits.per_day = sync.size("bytes_per_day_max");
  const std::string format = sync.text("payload");
  for (const auto& [name, value] : kFormats) {
    if (format == name) result.payload.format = value;
  }
  const bool zstd = sync.text("compression") == "zstd";
  result.payload.compression = zstd ? PayloadOptions::Compression::zstd : PayloadOptions::Compression::none;
  const bool sparkplug = result.payload.format == PayloadOptions::Format::sparkplug_b;
  if (zstd && (sparkplug || result.payload.format == PayloadOptions::Format::native)) {
    sync.error_at("compression", "\"compression\" in [sync] is for JSON and SenML; payload = \"" + format + "\" goes as it is: leave it out");
  }
  result.sparkplug.group = sync.text("sparkplug_group");
  result.sparkplug.primary_host = sync.text("sparkplug_primary_host");
  result.sparkplug.file = result.state_directory + "/sparkplug_bdseq";
  for (const std::string_view key : {"sparkplug_group", "sparkplug_primary_host"}) {
    if (!sync.given(key)) continue;
    const std::string id = sync.text(key);
    const std::string quoted = "\"" + std::string{key} + "\" in [sync] ";
    if (!sparkplug) sync.error_at(key, quoted + "means nothing with payload = \"" + format + "\"; leave it out");
    if (id.empty() || id.size() > 256 || id.find_first_of("+#/") != std::string::npos) {
      sync.error_at(key, quoted + "is \"" + id + "\"; it may not be empty or hold +, # or /");
    }
  }
  if (!sparkplug) return;
  if (result.cloud.presence) {
    sync.error_at("payload", "\"payload\" in [sync] is \"sparkplug_b\", which says itself who is there; leave out \"presence\" in [cloud]");
  }
  if (result.has_broker && result.cloud.profile != CloudOptions::Profile::plain) {
    sync.error_at("payload", "\"payload\" in [sync] is \"sparkplug_b\", whose topics are its own: that needs [cloud] profile = \"plain\"");
  }
}

void read_outbox(const SectionReader& outbox, Configuration& result) {
  result.store.directory =
      outbox.given("directory") ? outbox.path("directory") : result.state_directory;
  result.store.quota_bytes = outbox.size("quota");
  result.store.age_max = std::chrono::duration_cast<seconds>(outbox.duration("age"));
  result.store.flush_interval =
      std::chrono::duration_cast<milliseconds>(outbox.duration("flush_interval"));
  if (outbox.given("flash_bytes_per_day")) result.store.flash_bytes_per_day = outbox.size("flash_bytes_per_day");
  result.store.flush_interval_max = std::chrono::duration_cast<milliseconds>(outbox.duration("flush_interval_max"));
  result.store.thin_window = std::chrono::duration_cast<milliseconds>(outbox.duration("thin_window"));
  result.store.message_bytes_max = static_cast<std::size_t>(outbox.size("segment_max"));
  if (outbox.duration("flush_interval") > outbox.duration("age")) {
    outbox.error_at("flush_interval",
                    "\"flush_interval\" in [outbox] is longer than \"age\": everything would be "
                    "dropped before it is written");
  }
}

/// The elements of [[name]]; a single [name] is a problem that says so.
std::vector<const TomlValue*> elements_of(const TomlValue& document, std::string_view name,
                                          std::size_t count_max, Problems& problems) {
  std::vector<const TomlValue*> result;
  const TomlValue* list = document.find(name);
  if (list == nullptr) return result;
  const std::string title = "[[" + std::string{name} + "]]";
  if (list->type != TomlValue::Type::array) {
    problems.error(list->line, "write " + title + " with two brackets: there may be many");
    return result;
  }
  if (list->array.size() > count_max) {
    problems.error(list->line, "more than " + std::to_string(count_max) + " " + title);
    return result;
  }
  for (const TomlValue& element : list->array) result.push_back(&element);
  return result;
}

Deadband read_deadband(const SectionReader& reader) {
  Deadband deadband;
  deadband.absolute = reader.real("absolute");
  deadband.relative = reader.real("relative");
  deadband.heartbeat = reader.duration("heartbeat");
  return deadband;
}

template <typename Check>
void report(const SectionReader& reader, const Check& checked) {
  if (!checked) reader.error_at("", reader.title() + ": " + checked.error().sentence());
}

SeriesEntry read_series_entry(const SectionReader& reader) {
  SeriesEntry entry;
  entry.line = reader.line();
  entry.match = reader.text("match");
  entry.labels = reader.text_table("labels");
  if (reader.given("drop")) entry.drop = reader.boolean("drop");
  entry.scale = reader.given_real("scale");
  entry.offset = reader.given_real("offset");
  if (reader.given("valid_range")) {
    const auto [min, max] = reader.range("valid_range");
    entry.valid_range = ValidRange{min, max};
  }
  if (reader.given("out_of_range")) {
    entry.out_of_range = reader.text("out_of_range") == "drop" ? FilterOptions::OutOfRange::drop
                                                               : FilterOptions::OutOfRange::suspect;
  }
  if (reader.given("spike")) entry.spike = reader.boolean("spike");
  if (reader.given("deadband")) entry.deadband = read_deadband(reader.section("deadband"));
  entry.interval_min = reader.given_duration("interval_min");
  if (reader.given("rate")) {
    const std::string rate = reader.text("rate");
    entry.rate = rate == "extra"     ? FilterOptions::Rate::extra
                 : rate == "replace" ? FilterOptions::Rate::replace
                                     : FilterOptions::Rate::none;
  }
  entry.window = reader.given_duration("window");
  if (reader.given("quantiles")) entry.quantiles = reader.reals("quantiles");
  if (reader.given("lane")) entry.lane = reader.text("lane") == "bulk" ? Lane::bulk : Lane::live;
  return entry;
}

void read_series(const TomlValue& document, File& file, Configuration& result) {
  std::vector<SeriesEntry> entries;
  for (const TomlValue* element :
       elements_of(document, "series", SeriesPolicies::kEntriesMax, file.problems)) {
    const SectionReader reader{kSeriesSection, element, file};
    if (!reader.present()) continue;
    SeriesEntry entry = read_series_entry(reader);
    SeriesPolicy alone;
    entry.apply_to(alone);
    report(reader, check(alone.filter));
    report(reader, check(alone.aggregate));
    entries.push_back(std::move(entry));
  }
  result.series = SeriesPolicies{std::move(entries)};
}

RuleOptions::Statistic statistic_of(const std::string& text) {
  using Statistic = RuleOptions::Statistic;
  for (const Statistic each : {Statistic::mean, Statistic::max, Statistic::min, Statistic::p95,
                               Statistic::rate}) {
    if (to_string(each) == text) return each;
  }
  return Statistic::last;
}

RuleOptions read_rule(const SectionReader& reader) {
  RuleOptions rule;
  rule.name = reader.text("name");
  rule.metric = reader.text("series");
  for (auto& [name, glob] : reader.text_table("labels")) rule.labels.push_back({name, glob});
  rule.statistic = statistic_of(reader.text("of"));
  rule.warn_above = reader.given_real("warn_above");
  rule.critical_above = reader.given_real("critical_above");
  rule.warn_below = reader.given_real("warn_below");
  rule.critical_below = reader.given_real("critical_below");
  rule.hysteresis = reader.real("hysteresis");
  rule.for_duration = reader.duration("for");
  rule.no_data_after = reader.given_duration("no_data_for").value_or(nanoseconds::zero());
  rule.no_data_severity =
      reader.text("no_data_severity") == "critical" ? Severity::critical : Severity::warn;
  return rule;
}

void read_rules(const TomlValue& document, File& file, Configuration& result) {
  for (const TomlValue* element : elements_of(document, "rule", kRulesMax, file.problems)) {
    const std::size_t errors_before = file.problems.errors();
    const SectionReader reader{kRuleSection, element, file};
    if (!reader.present()) continue;
    RuleOptions rule = read_rule(reader);
    // A rule whose keys are wrong already has its lines; what they say together would only confuse.
    if (file.problems.errors() == errors_before) report(reader, check(rule));
    const bool taken = std::any_of(result.rules.begin(), result.rules.end(),
                                   [&](const RuleOptions& other) { return other.name == rule.name; });
    if (taken && !rule.name.empty()) {
      reader.error_at("name", "two [[rule]] are called \"" + rule.name + "\"");
    }
    result.rules.push_back(std::move(rule));
  }
}

LogLevel log_level_of(const std::string& text) {
  if (text == "error") return LogLevel::error;
  if (text == "warn") return LogLevel::warn;
  if (text == "debug") return LogLevel::debug;
  return LogLevel::info;
}

}  // namespace

ConfigurationResult read_configuration(std::string_view text, const ConfigurationContext& context) {
  ConfigurationResult result;
  Problems problems{context.file_name};
  TomlValue document;
  lay_text(text, 0, document, problems);
  for (const DropIn& drop_in : context.drop_ins) {
    const int number = problems.add_file(drop_in.name);
    if (drop_in.text) {
      lay_text(*drop_in.text, number, document, problems);
    } else {
      problems.error(place_in(number, 0), drop_in.text.error().sentence());
    }
  }
  // Where a file is missing from the whole, what the rest lacks would only confuse.
  const bool whole = problems.errors() == 0;
  lay_environment(context.environment, document, problems);
  if (whole) {
    File file{problems, context.directory, context.files_are_checked};
    Configuration& configuration = result.configuration;
    check_top_keys(document, problems);
    read_device({kDeviceSection, document.find("device"), file}, context, configuration);
    const SectionReader broker{kBrokerSection, document.find("broker"), file};
    const SectionReader identity{kIdentitySection, document.find("identity"), file};
    read_broker(broker, file, configuration);
    read_identity(identity, configuration);
    read_cloud({kCloudSection, document.find("cloud"), file}, broker, identity, configuration);
    read_jobs({kJobsSection, document.find("jobs"), file}, configuration);
    const SectionReader sampling{kSamplingSection, document.find("sampling"), file};
    configuration.sources =
        read_sources(document.find("source"), context.drivers, sampling.duration("interval"),
                     sampling.boolean("default_sources"), file);
    read_outbox({kOutboxSection, document.find("outbox"), file}, configuration);
    read_sync({kSyncSection, document.find("sync"), file}, configuration);
    read_series(document, file, configuration);
    read_rules(document, file, configuration);
    const SectionReader self{kSelfSection, document.find("self"), file};
    configuration.self_enabled = self.boolean("enabled");
    configuration.self_interval = self.duration("interval");
    const SectionReader log{kLogSection, document.find("log"), file};
    configuration.log_level = log_level_of(log.text("level"));
    const SectionReader control{kControlSection, document.find("control"), file};
    configuration.control_socket = control.path("socket");
    if (configuration.sources.empty()) {
      problems.warning(0, "no source is switched on: nothing will be read");
    }
  }
  result.errors = problems.errors();
  result.files = problems.files();
  result.configuration.files = result.files;
  result.problems = std::move(problems).take();
  return result;
}

}  // namespace fieldpost
