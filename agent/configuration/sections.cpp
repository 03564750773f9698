// SPDX-License-Identifier: Apache-2.0
// The tables of everything that may stand in the configuration file: key, type, default, help, limits.
// A row here and its use in configuration.cpp are all that a new key needs.
#include "agent/cloud/cloud_profile.hpp"
#include "agent/configuration/declaration.hpp"
#include "agent/identity/identity_options.hpp"

namespace fieldpost {
namespace {

using Type = KeyDeclaration::Type;

constexpr double kDay = 86'400;
constexpr double kMiB = 1 << 20;

constexpr KeyDeclaration kDeviceKeys[] = {
    {.key = "name", .type = Type::text, .default_text = "",
     .help = "name of this device in topics and messages; default: the host name"},
    {.key = "state_directory", .type = Type::absolute_path, .default_text = "/var/lib/fieldpost",
     .help = "where identity and outbox live; must survive a reboot"},
};

constexpr KeyDeclaration kBrokerKeys[] = {
    {.key = "url", .type = Type::text, .default_text = "",
     .help = "url = \"mqtts://broker.example:8883\", or wss://; mqtt:// and ws:// need plaintext_allowed",
     .required = true},
    {.key = "ca_file", .type = Type::file, .default_text = "",
     .help = "PEM bundle of authorities that may sign the broker's certificate; default: the system's"},
    {.key = "certificate_file", .type = Type::file, .default_text = "",
     .help = "PEM client certificate, leaf first, then intermediates; default: what `fieldpost provision` made"},
    {.key = "key_file", .type = Type::secret_file, .default_text = "",
     .help = "PEM private key of certificate_file; mode 600"},
    {.key = "key_password_file", .type = Type::secret_file, .default_text = "",
     .help = "first line: password of an encrypted key_file; mode 600"},
    {.key = "crl_file", .type = Type::file, .default_text = "",
     .help = "certificate revocation list, PEM or DER"},
    {.key = "server_name", .type = Type::text, .default_text = "",
     .help = "name to ask for and to check in the broker's certificate; default: the URL's host"},
    {.key = "alpn", .type = Type::texts, .default_text = "[]",
     .help = "TLS application protocols, such as [\"x-amzn-mqtt-ca\"] for AWS IoT on port 443"},
    {.key = "mqtt_version", .type = Type::choice, .default_text = "5", .help = "protocol version",
     .choices = "5|3.1.1"},
    {.key = "tls_min", .type = Type::choice, .default_text = "1.2",
     .help = "oldest TLS version to accept", .choices = "1.2|1.3"},
    {.key = "tls_max", .type = Type::choice, .default_text = "1.3",
     .help = "newest TLS version to offer", .choices = "1.2|1.3"},
    {.key = "proxy", .type = Type::text, .default_text = "",
     .help = "HTTP proxy to go through: \"http://[user:password@]proxy.example:3128\""},
    {.key = "username", .type = Type::text, .default_text = "",
     .help = "for brokers that want one beside the certificate"},
    {.key = "password_file", .type = Type::secret_file, .default_text = "",
     .help = "first line: password of username; mode 600"},
    {.key = "keep_alive", .type = Type::duration, .default_text = "60s",
     .help = "longest silence before a ping; a dead connection is noticed within 1.5 of it",
     .min = 5, .max = 65'535},
    {.key = "plaintext_allowed", .type = Type::boolean, .default_text = "false",
     .help = "true permits mqtt:// and ws://: anybody on the way can read and forge"},
    {.key = "topic_prefix", .type = Type::text, .default_text = "fieldpost",
     .help = "first part of every topic"},
    {.key = "acknowledge_timeout", .type = Type::duration, .default_text = "20s",
     .help = "a publish unacknowledged for so long closes the connection and is sent again",
     .min = 1, .max = 600},
    {.key = "connect_timeout", .type = Type::duration, .default_text = "30s",
     .help = "look-up, dial, TLS and MQTT together", .min = 1, .max = 600},
    {.key = "backoff_max", .type = Type::duration, .default_text = "2m",
     .help = "longest pause before the broker is called again; they grow from 1 s, at random", .min = 1, .max = 3600},
};

constexpr KeyDeclaration kIdentityKeys[] = {
    {.key = "authority", .type = Type::choice, .default_text = "none",
     .help = "who signs renewals: nobody (`fieldpost provision` does it by hand), whoever answers over the broker, AWS IoT, "
             "or an EST server",
     .choices = kAuthorities},
    {.key = "key", .type = Type::choice, .default_text = "p256", .help = "kind of the keys that are made",
     .choices = kKeyKinds},
    {.key = "subject", .type = Type::text, .default_text = "",
     .help = "of the requests, such as \"CN=gateway-1,O=Acme\"; default: CN=<device name>"},
    {.key = "renew_after", .type = Type::duration, .default_text = "",
     .help = "age at which a certificate is renewed at the latest; it is earlier after two thirds of its life; default with "
             "authority aws: 365d", .min = kDay, .max = 3650 * kDay},
    {.key = "est_url", .type = Type::text, .default_text = "",
     .help = "authority est: https://HOST[:PORT], with a path where it is not /.well-known/est"},
    {.key = "est_ca_file", .type = Type::file, .default_text = "", .help = "whom to trust there (PEM); default: as in [broker]"},
    {.key = "aws_template", .type = Type::text, .default_text = "",
     .help = "authority aws: provisioning template that registers this device's new certificate"},
    {.key = "aws_parameters", .type = Type::text, .default_text = "",
     .help = "what the template asks for: \"SerialNumber=123,Model=B\""},
};

constexpr KeyDeclaration kCloudKeys[] = {
    {.key = "profile", .type = Type::choice, .default_text = "plain",
     .help = "what the broker is: any (plain), AWS IoT Core, or Azure IoT Hub; decides topics, documents and limits",
     .choices = kCloudProfiles},
    {.key = "hub", .type = Type::text, .default_text = "",
     .help = "azure: HUB.azure-devices.net where [broker] url names a gateway before it; default: the URL's host"},
    {.key = "basic_ingest_rule", .type = Type::text, .default_text = "",
     .help = "aws: readings go straight to this rule, cheaper, and past every subscriber"},
    {.key = "desired_state", .type = Type::boolean, .default_text = "false",
     .help = "true: the shadow or twin may change the configuration, on trial: what does not prove itself is put back"},
    {.key = "shadow", .type = Type::text, .default_text = "",
     .help = "aws, plain: name of the shadow for that; default: the classic one"},
    {.key = "confirm_within", .type = Type::duration, .default_text = "2m",
     .help = "time for the link and every source to work under a changed configuration before it is put back", .min = 10,
     .max = 3600},
    {.key = "presence", .type = Type::boolean, .default_text = "false",
     .help = "plain: say on PREFIX/DEVICE/presence, retained, who is there, for `fieldpost fleet devices`; the broker must allow it"},
    {.key = "device_defender", .type = Type::boolean, .default_text = "false",
     .help = "aws: report network figures to Device Defender"},
    {.key = "device_defender_interval", .type = Type::duration, .default_text = "5m", .help = "how often", .min = 300,
     .max = kDay},
};

constexpr KeyDeclaration kJobsKeys[] = {
    {.key = "enabled", .type = Type::boolean, .default_text = "true",
     .help = "false: no jobs, though the section is there; without the section there are none either"},
    {.key = "handlers_directory", .type = Type::absolute_path, .default_text = "/etc/fieldpost/handlers",
     .help = "programs that a job may name; mode 700, root's or the agent's own"},
    {.key = "commands", .type = Type::texts, .default_text = "[]",
     .help = "other programs that a job may run, as it writes them: [\"systemctl\"]"},
    {.key = "command_timeout", .type = Type::duration, .default_text = "30m",
     .help = "a step of a job that takes longer is ended, and the job has failed", .min = 1, .max = 7 * kDay},
    {.key = "step_timeout", .type = Type::duration, .default_text = "10m",
     .help = "the cloud gives a job up if it hears nothing for so long; told three times as often", .min = 60, .max = 7 * kDay},
    {.key = "repeated_handlers", .type = Type::texts, .default_text = "",
     .help = "run again when the host was rebooted while they ran, all others have failed then; default: [\"reboot.sh\"]"},
    {.key = "reboot_command", .type = Type::texts, .default_text = "",
     .help = "what the job host.reboot runs, []: no job may reboot this host; default: [\"/sbin/reboot\"]"},
    {.key = "window", .type = Type::text, .default_text = "",
     .help = "jobs that disturb begin within it: \"02:00-04:30\"; default: at any time"},
    {.key = "window_days", .type = Type::texts, .default_text = "[]",
     .help = "on which the window begins: [\"sat\", \"sun\"]; default: every day"},
    {.key = "window_clock", .type = Type::choice, .default_text = "utc", .help = "whose hours those are", .choices = "utc|local"},
    {.key = "tell_waiting", .type = Type::boolean, .default_text = "false",
     .help = "true: a job that waits is shown IN_PROGRESS with the reason, and the cloud's time for it runs; else it stays QUEUED"},
    {.key = "bytes_per_day_max", .type = Type::size, .default_text = "16MiB",
     .help = "that jobs send or fetch in a day; one that needs more fails", .min = 0, .max = 1024 * 1024 * kMiB},
};

constexpr KeyDeclaration kSamplingKeys[] = {
    {.key = "interval", .type = Type::duration, .default_text = "10s",
     .help = "how often sources are read, unless their own section says otherwise",
     .min = 0.01, .max = kDay},
    {.key = "default_sources", .type = Type::boolean, .default_text = "true",
     .help = "false: only sources that have a section of their own are read"},
};

constexpr KeyDeclaration kSourceKeys[] = {
    {.key = "driver", .type = Type::text, .default_text = "",
     .help = "driver to use; default: NAME (`fieldpost sources` lists them)"},
    {.key = "enabled", .type = Type::boolean, .default_text = "true",
     .help = "false switches a source off that runs by default"},
    {.key = "interval", .type = Type::duration, .default_text = "",
     .help = "how often it is read; default: [sampling] interval", .min = 0.01, .max = kDay},
};

constexpr KeyDeclaration kOutboxKeys[] = {
    {.key = "quota", .type = Type::size, .default_text = "256MiB",
     .help = "largest size of the outbox; beyond it the oldest bulk readings go, counted",
     .min = kMiB, .max = 1024 * 1024 * kMiB},
    {.key = "age", .type = Type::duration, .default_text = "30d",
     .help = "readings older than this are dropped, counted", .min = 60, .max = 3650 * kDay},
    {.key = "flush_interval", .type = Type::duration, .default_text = "10s",
     .help = "a reading is safe from a power cut after this long; shorter wears flash faster",
     .min = 0.1, .max = 3600},
    {.key = "flash_bytes_per_day", .type = Type::size, .default_text = "",
     .help = "how much may be written to the disk in a day, about; what is short of it stretches flush_interval", .min = kMiB,
     .max = 1024 * 1024 * kMiB},
    {.key = "flush_interval_max", .type = Type::duration, .default_text = "5m",
     .help = "to which flush_interval may be stretched by flash_bytes_per_day; alerts are safe at once all the same",
     .min = 0.1, .max = 3600},
    {.key = "thin_window", .type = Type::duration, .default_text = "60s",
     .help = "when the quota is reached, the oldest readings become summaries of this window before any go; 0s: they go at once",
     .min = 0, .max = kDay},
    {.key = "segment_max", .type = Type::size, .default_text = "117KiB",
     .help = "longest JSON message; brokers have limits (AWS IoT Core 128 KB, Azure IoT Hub 256 KB)", .min = 4096, .max = 125 * 1024},
    {.key = "directory", .type = Type::absolute_path, .default_text = "",
     .help = "where the outbox is kept; default: [device] state_directory"},
};

constexpr KeyDeclaration kSyncKeys[] = {
    {.key = "bytes_per_second_max", .type = Type::size, .default_text = "",
     .help = "at most so much goes to the broker; alerts go all the same; default: as fast as the link",
     .min = 100, .max = 1024 * kMiB},
    {.key = "bytes_per_day_max", .type = Type::size, .default_text = "",
     .help = "for links that are paid by volume: alerts always go, then live readings, then the backlog; default: no limit",
     .min = 10'240, .max = 1024 * 1024 * kMiB},
    {.key = "payload", .type = Type::choice, .default_text = "json",
     .help = "json (packaging/schema), native: the outbox's own segments (packaging/decoders), a fraction of the bytes; SenML, or Sparkplug B",
     .choices = "json|native|senml+json|senml+cbor|sparkplug_b"},
    {.key = "compression", .type = Type::choice, .default_text = "none",
     .help = "of JSON and SenML; the broker's other clients must know it", .choices = "none|zstd"},
    {.key = "sparkplug_group", .type = Type::text, .default_text = "fieldpost",
     .help = "sparkplug_b: topics are spBv1.0/GROUP/.../<device name>"},
    {.key = "sparkplug_primary_host", .type = Type::text, .default_text = "",
     .help = "sparkplug_b: id of the host without which nothing is sent; default: whoever listens"},
};

constexpr KeyDeclaration kDeadbandKeys[] = {
    {.key = "absolute", .type = Type::real, .default_text = "",
     .help = "smallest change that is passed on, in the series' unit", .min = 0},
    {.key = "relative", .type = Type::real, .default_text = "",
     .help = "smallest change that is passed on, as a part of the last value: 0.01 is 1 %",
     .min = 0, .max = 1},
    {.key = "heartbeat", .type = Type::duration, .default_text = "60s",
     .help = "pass a sample on after this long even without a change; 0s: never",
     .min = 0, .max = 30 * kDay},
};

}  // namespace

constexpr SectionDeclaration kDeadbandSection{
    "deadband", "inline table: deadband = { absolute = 0.5, heartbeat = \"5m\" }", kDeadbandKeys};

namespace {

constexpr KeyDeclaration kSeriesKeys[] = {
    {.key = "match", .type = Type::text, .default_text = "*",
     .help = "series this entry is about: a name with * and ?, such as \"node_network_*_total\"",
     .required = true},
    {.key = "labels", .type = Type::text_table, .default_text = "",
     .help = "label values with * and ?: { device = \"eth*\" }; all must match"},
    {.key = "drop", .type = Type::boolean, .default_text = "false",
     .help = "true: these series are read but go no further"},
    {.key = "scale", .type = Type::real, .default_text = "1",
     .help = "value = raw * scale + offset"},
    {.key = "offset", .type = Type::real, .default_text = "0", .help = "see scale"},
    {.key = "valid_range", .type = Type::range, .default_text = "",
     .help = "[lowest, highest] value to believe, after scale and offset; default: the driver's"},
    {.key = "out_of_range", .type = Type::choice, .default_text = "suspect",
     .help = "what to do with a value outside valid_range: mark it, or drop it (counted)",
     .choices = "suspect|drop"},
    {.key = "spike", .type = Type::boolean, .default_text = "false",
     .help = "true: the median of three samples goes on, so a single outlier never passes"},
    {.key = "deadband", .type = Type::section, .default_text = "",
     .help = "pass on changes only: { absolute = 0.5, heartbeat = \"5m\" }", .inner = &kDeadbandSection},
    {.key = "interval_min", .type = Type::duration, .default_text = "0s",
     .help = "pass on at most one sample in so long", .min = 0, .max = kDay},
    {.key = "rate", .type = Type::choice, .default_text = "none",
     .help = "a counter's increase a second as NAME_per_second: beside it, or in its place",
     .choices = "none|extra|replace"},
    {.key = "window", .type = Type::duration, .default_text = "0s",
     .help = "summarise: count, min, max, mean, last, deviation over so long; 0s: every sample",
     .min = 0, .max = kDay},
    {.key = "quantiles", .type = Type::reals, .default_text = "",
     .help = "with window: [0.5, 0.95, 0.99]", .min = 0, .max = 1},
    {.key = "lane", .type = Type::choice, .default_text = "live",
     .help = "bulk is sent after live and dropped before it", .choices = "live|bulk"},
};

constexpr KeyDeclaration kRuleKeys[] = {
    {.key = "name", .type = Type::text, .default_text = "",
     .help = "name = \"cpu_hot\": the event's name", .required = true},
    {.key = "series", .type = Type::text, .default_text = "",
     .help = "series = \"node_hwmon_temp_celsius\": a name with * and ?", .required = true},
    {.key = "labels", .type = Type::text_table, .default_text = "",
     .help = "label values with * and ?; all must match"},
    {.key = "of", .type = Type::choice, .default_text = "last",
     .help = "what to compare; mean, max, min and p95 are those of the series' window",
     .choices = "last|mean|max|min|p95|rate"},
    {.key = "warn_above", .type = Type::real, .default_text = "", .help = "raise a warning above this"},
    {.key = "critical_above", .type = Type::real, .default_text = "",
     .help = "raise a critical event above this"},
    {.key = "warn_below", .type = Type::real, .default_text = "", .help = "raise a warning below this"},
    {.key = "critical_below", .type = Type::real, .default_text = "",
     .help = "raise a critical event below this"},
    {.key = "hysteresis", .type = Type::real, .default_text = "0",
     .help = "come back by so much before it counts as resolved", .min = 0},
    {.key = "for", .type = Type::duration, .default_text = "0s",
     .help = "only when it has lasted so long", .min = 0, .max = 30 * kDay},
    {.key = "no_data_for", .type = Type::duration, .default_text = "",
     .help = "raise NAME_no_data when the series has been silent so long",
     .min = 1, .max = 30 * kDay},
    {.key = "no_data_severity", .type = Type::choice, .default_text = "warn",
     .help = "how bad silence is", .choices = "warn|critical"},
};

constexpr KeyDeclaration kSelfKeys[] = {
    {.key = "enabled", .type = Type::boolean, .default_text = "true",
     .help = "false: the agent gives no series of itself"},
    {.key = "interval", .type = Type::duration, .default_text = "60s",
     .help = "how often it does", .min = 0.1, .max = kDay},
};

constexpr KeyDeclaration kLogKeys[] = {
    {.key = "level", .type = Type::choice, .default_text = "info", .help = "how much to log",
     .choices = "error|warn|info|debug"},
};

constexpr KeyDeclaration kControlKeys[] = {
    {.key = "socket", .type = Type::absolute_path, .default_text = "/run/fieldpost/control.sock",
     .help = "Unix socket that `fieldpost status` talks to"},
};

}  // namespace

constexpr SectionDeclaration kDeviceSection{"[device]", "this device", kDeviceKeys};
constexpr SectionDeclaration kBrokerSection{
    "[broker]", "where readings go; without it they stay in the outbox", kBrokerKeys};
constexpr SectionDeclaration kIdentitySection{
    "[identity]", "the device's key and certificate, where [broker] names none", kIdentityKeys};
constexpr SectionDeclaration kCloudSection{
    "[cloud]", "what kind of cloud the broker belongs to, and what it may do", kCloudKeys};
constexpr SectionDeclaration kJobsSection{"[jobs]", "what the cloud may have this device do", kJobsKeys};
constexpr SectionDeclaration kSamplingSection{"[sampling]", "how often to read", kSamplingKeys};
constexpr SectionDeclaration kSourceSection{
    "[source.NAME]", "one source; the driver's own options go here, too", kSourceKeys};
constexpr SectionDeclaration kOutboxSection{
    "[outbox]", "what waits on disk for the broker", kOutboxKeys};
constexpr SectionDeclaration kSyncSection{
    "[sync]", "what goes to the broker, and how much", kSyncKeys};
constexpr SectionDeclaration kSeriesSection{
    "[[series]]", "how matching series are filtered and summarised; entries apply in order, later keys win",
    kSeriesKeys};
constexpr SectionDeclaration kRuleSection{
    "[[rule]]", "when to raise an alert event", kRuleKeys};
constexpr SectionDeclaration kSelfSection{
    "[self]", "the agent's own series, fieldpost_*", kSelfKeys};
constexpr SectionDeclaration kLogSection{"[log]", "standard error, or the journal", kLogKeys};
constexpr SectionDeclaration kControlSection{"[control]", "the local control socket", kControlKeys};

namespace {

constexpr const SectionDeclaration* kSections[] = {
    &kDeviceSection, &kBrokerSection, &kIdentitySection, &kCloudSection, &kJobsSection, &kSamplingSection, &kSourceSection, &kOutboxSection, &kSyncSection,
    &kSeriesSection, &kDeadbandSection, &kRuleSection,     &kSelfSection,   &kLogSection,    &kControlSection,
};

}  // namespace

std::span<const SectionDeclaration* const> section_table() { return kSections; }

std::string_view wanted_text(KeyDeclaration::Type type) noexcept {
  switch (type) {
    case Type::boolean: return "true or false";
    case Type::integer: return "a whole number";
    case Type::real: return "a number";
    case Type::text: return "text in quotes";
    case Type::choice: return "one of a few words";
    case Type::texts: return "a list of texts, such as [\"one\", \"two\"]";
    case Type::reals: return "a list of numbers, such as [0.5, 0.95]";
    case Type::range: return "two numbers, the lower first, such as [-40, 125]";
    case Type::duration: return "a duration such as \"10s\", \"500ms\", \"5m\" or \"30d\"";
    case Type::size: return "a size such as \"256MiB\" or \"64KiB\"";
    case Type::file: return "a file name in quotes";
    case Type::secret_file: return "a file name in quotes";
    case Type::absolute_path: return "an absolute path in quotes";
    case Type::text_table: return "a table of texts, such as { device = \"eth*\" }";
    case Type::section: return "a table in braces";
  }
  return "?";
}

std::string_view type_text(KeyDeclaration::Type type) noexcept {
  switch (type) {
    case Type::boolean: return "true/false";
    case Type::integer: return "whole number";
    case Type::real: return "number";
    case Type::text: return "text";
    case Type::choice: return "choice";
    case Type::texts: return "list of texts";
    case Type::reals: return "list of numbers";
    case Type::range: return "two numbers";
    case Type::duration: return "duration";
    case Type::size: return "size";
    case Type::file: return "file";
    case Type::secret_file: return "file, mode 600";
    case Type::absolute_path: return "absolute path";
    case Type::text_table: return "table of texts";
    case Type::section: return "table";
  }
  return "?";
}

}  // namespace fieldpost
