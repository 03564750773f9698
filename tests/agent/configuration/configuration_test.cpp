// SPDX-License-Identifier: Apache-2.0
// The messages that a person sees, word for word, and the option structs that a right file makes.
#include "agent/configuration/configuration.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fieldpost {
namespace {

using Lines = std::vector<std::string>;

ConfigurationResult read(const std::string& text) {
  return read_configuration(text, {.file_name = "gateway.toml",
                                   .directory = "/etc/fieldpost",
                                   .host_name = "gw17",
                                   .drivers = driver_table(),
                                   .files_are_checked = false});
}

/// Errors only.
Lines errors_of(const std::string& text) {
  Lines lines;
  for (const Problem& problem : read(text).problems) {
    if (problem.severity == Problem::Severity::error) lines.push_back(to_text(problem));
  }
  return lines;
}

Lines warnings_of(const std::string& text) {
  Lines lines;
  for (const Problem& problem : read(text).problems) {
    if (problem.severity == Problem::Severity::warning) lines.push_back(to_text(problem));
  }
  return lines;
}

constexpr const char* kBroker =
    "[broker]\nurl = \"mqtts://b:8883\"\ncertificate_file = \"c\"\nkey_file = \"k\"\n";

struct Wrong {
  const char* name;
  const char* text;
  const char* message;
};

class WrongConfiguration : public testing::TestWithParam<Wrong> {};

TEST_P(WrongConfiguration, IsOneLineThatSaysWhatToDo) {
  EXPECT_EQ(errors_of(GetParam().text), Lines{GetParam().message});
}

INSTANTIATE_TEST_SUITE_P(
    Messages, WrongConfiguration,
    testing::Values(
        Wrong{"UnknownKey", "[sampling]\n\nintervall = \"10s\"\n",
              "gateway.toml:3: unknown key \"intervall\" in [sampling]; did you mean \"interval\"?"},
        Wrong{"UnknownKeyWithoutSuggestion", "[sampling]\ncolour = 1\n",
              "gateway.toml:2: unknown key \"colour\" in [sampling]"},
        Wrong{"UnknownSection", "[boker]\nurl = 1\n",
              "gateway.toml:1: unknown section [boker]; did you mean [broker]?"},
        Wrong{"KeyOutsideAnySection", "levle = 3\n",
              "gateway.toml:1: unknown key \"levle\" outside any section"},
        Wrong{"WrongType", "[log]\nlevel = 3\n",
              "gateway.toml:2: \"level\" in [log] must be \"error\", \"warn\", \"info\" or \"debug\", "
              "not a whole number"},
        Wrong{"UnknownChoice", "[log]\nlevel = \"inof\"\n",
              "gateway.toml:2: \"level\" in [log] is \"inof\"; did you mean \"info\"?"},
        Wrong{"BareNumber", "[sampling]\ninterval = 10\n",
              "gateway.toml:2: \"interval\" in [sampling] must be a duration such as \"10s\", "
              "\"500ms\", \"5m\" or \"30d\", not a bare number: which unit is meant?"},
        Wrong{"BadDuration", "[sampling]\ninterval = \"ten\"\n",
              "gateway.toml:2: \"interval\" in [sampling] is wrong: \"ten\" is not a duration such as "
              "\"10s\", \"500ms\", \"5m\" or \"30d\""},
        Wrong{"DurationOutOfRange", "[sampling]\ninterval = \"9ms\"\n",
              "gateway.toml:2: \"interval\" in [sampling] is \"9ms\"; it must be between 10ms and 1d"},
        Wrong{"SizeOutOfRange", "[outbox]\nquota = \"1023KiB\"\n",
              "gateway.toml:2: \"quota\" in [outbox] is \"1023KiB\"; it must be between 1MiB and "
              "1024GiB"},
        Wrong{"MissingRequired", "[broker]\nusername = \"u\"\n",
              "gateway.toml:1: [broker] lacks \"url\": url = \"mqtts://broker.example:8883\", or "
              "wss://; mqtt:// and ws:// need plaintext_allowed"},
        Wrong{"Plaintext", "[broker]\nurl = \"mqtt://b\"\nusername = \"u\"\n",
              "gateway.toml:2: \"url\" in [broker] is \"mqtt://b\", which is not encrypted; use "
              "mqtts://, or set plaintext_allowed = true"},
        Wrong{"Scheme", "[broker]\nurl = \"ssl://b\"\nusername = \"u\"\n",
              "gateway.toml:2: \"url\" in [broker] is \"ssl://b\"; it must begin with mqtts://, "
              "wss://, mqtt:// or ws://"},
        Wrong{"NoHost", "[broker]\nurl = \"mqtts://\"\nusername = \"u\"\n",
              "gateway.toml:2: \"url\" in [broker] is \"mqtts://\"; it names no host"},
        Wrong{"KeyMissing", "[broker]\nurl = \"mqtts://b\"\ncertificate_file = \"c\"\n",
              "gateway.toml:3: \"certificate_file\" in [broker] needs \"key_file\" beside it"},
        Wrong{"TlsUpsideDown",
              "[broker]\nurl = \"mqtts://b\"\nusername = \"u\"\ntls_min = \"1.3\"\ntls_max = \"1.2\"\n",
              "gateway.toml:4: \"tls_min\" in [broker] is 1.3, but \"tls_max\" is 1.2"},
        Wrong{"TopicPrefix", "[broker]\nurl = \"mqtts://b\"\nusername = \"u\"\ntopic_prefix = \"a/#\"\n",
              "gateway.toml:4: \"topic_prefix\" in [broker] is \"a/#\"; it may not be empty, hold + or "
              "#, or begin or end with /"},
        Wrong{"DeviceName", "[device]\nname = \"a/b\"\n",
              "gateway.toml:2: \"name\" in [device] is \"a/b\"; it may hold 1 to 128 letters, digits "
              "and . _ -"},
        Wrong{"RelativeStateDirectory", "[device]\nstate_directory = \"state\"\n",
              "gateway.toml:2: \"state_directory\" in [device] must be an absolute path, such as "
              "\"/var/lib/fieldpost\""},
        Wrong{"FlushLongerThanAge", "[outbox]\nflush_interval = \"5m\"\nage = \"1m\"\n",
              "gateway.toml:2: \"flush_interval\" in [outbox] is longer than \"age\": everything would "
              "be dropped before it is written"},
        Wrong{"SingleSeriesBrackets", "[series]\nmatch = \"*\"\n",
              "gateway.toml:1: write [[series]] with two brackets: there may be many"},
        Wrong{"RangeUpsideDown", "[[series]]\nmatch = \"*\"\nvalid_range = [5, 1]\n",
              "gateway.toml:3: \"valid_range\" in [[series]] must be two numbers, the lower first, such "
              "as [-40, 125]"},
        Wrong{"QuantileOutOfRange", "[[series]]\nmatch = \"*\"\nwindow = \"1m\"\nquantiles = [95]\n",
              "gateway.toml:4: \"quantiles\" in [[series]] has an element that is 95; it must be "
              "between 0 and 1"},
        Wrong{"LabelOfWrongType", "[[series]]\nmatch = \"*\"\nlabels = { device = 1 }\n",
              "gateway.toml:3: \"labels\" in [[series]] must be a table of texts, such as { device = "
              "\"eth*\" }; \"device\" is a whole number"},
        Wrong{"DeadbandKey", "[[series]]\nmatch = \"*\"\ndeadband = { absolut = 1 }\n",
              "gateway.toml:3: unknown key \"absolut\" in \"deadband\" of [[series]]; did you mean "
              "\"absolute\"?"},
        Wrong{"ScaleZero", "[[series]]\nmatch = \"*\"\nscale = 0\n",
              "gateway.toml:1: [[series]]: scale must be a finite number other than 0"},
        Wrong{"SameRuleTwice",
              "[[rule]]\nname = \"a\"\nseries = \"s\"\nwarn_above = 1\n"
              "[[rule]]\nname = \"a\"\nseries = \"t\"\nwarn_above = 1\n",
              "gateway.toml:6: two [[rule]] are called \"a\""},
        Wrong{"NotToml", "[sampling\n",
              "gateway.toml:1: this is not TOML: Error while parsing table header: expected ']', saw "
              "'\\n'"}),
    [](const auto& test) { return std::string{test.param.name}; });

TEST(Configuration, ReportsEveryProblemInTheOrderOfTheFile) {
  EXPECT_EQ(errors_of("[log]\nlevle = \"info\"\n[sampling]\ninterval = 5\n[nonsense]\n").size(), 3U);
  const Lines lines = errors_of("[log]\nlevle = \"info\"\n[device]\nnmae = \"x\"\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "gateway.toml:2: unknown key \"levle\" in [log]; did you mean \"level\"?");
  EXPECT_EQ(lines[1], "gateway.toml:4: unknown key \"nmae\" in [device]; did you mean \"name\"?");
}

TEST(Configuration, ContradictionsInARuleNameTheRulesLine) {
  const Lines lines = errors_of("\n[[rule]]\nname = \"a\"\nseries = \"s\"\n");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("gateway.toml:2: [[rule]]: ")) << lines[0];
}

TEST(Configuration, EmptyFileIsRightAndWarnsThatNothingIsSent) {
  const ConfigurationResult result = read("");
  EXPECT_TRUE(result.ok());
  EXPECT_FALSE(result.configuration.has_broker);
  EXPECT_EQ(result.configuration.device_name, "gw17");
  EXPECT_EQ(result.configuration.state_directory, "/var/lib/fieldpost");
  EXPECT_EQ(result.configuration.store.directory, "/var/lib/fieldpost");
  EXPECT_EQ(result.configuration.control_socket, "/run/fieldpost/control.sock");
  EXPECT_EQ(warnings_of(""), Lines{"gateway.toml: warning: no [broker]: readings stay in the outbox "
                                   "until its quota is reached"});
}

TEST(Configuration, WarnsOfWhatIsAllowedButUnwise) {
  EXPECT_EQ(warnings_of("[broker]\nurl = \"mqtt://b\"\nplaintext_allowed = true\n"),
            Lines{"gateway.toml:2: warning: \"url\" in [broker] is not encrypted: anybody on the way can read and forge"});
  EXPECT_EQ(warnings_of(std::string{kBroker} + "[sampling]\ndefault_sources = false\n"),
            Lines{"gateway.toml: warning: no source is switched on: nothing will be read"});
}

TEST(Configuration, TakesASectionOnOneLine) {
  EXPECT_EQ(errors_of("broker = { url = \"mqtts://b\", certificate_file = \"c\", key_file = \"k\" }\n"), Lines{});
}

TEST(Configuration, FillsTheLinksOptions) {
  const ConfigurationResult result = read(
      std::string{kBroker} +
      "ca_file = \"certificates/ca.pem\"\ncrl_file = \"/x/crl\"\nserver_name = \"s\"\nalpn = [\"a\"]\n"
      "mqtt_version = \"3.1.1\"\ntls_min = \"1.3\"\nproxy = \"http://p:1\"\nusername = \"u\"\n"
      "keep_alive = \"30s\"\ntopic_prefix = \"t/u\"\nacknowledge_timeout = \"5s\"\n"
      "connect_timeout = \"7s\"\nbackoff_max = \"9s\"\n[device]\nname = \"d\"\n");
  ASSERT_EQ(result.errors, 0U);
  const LinkOptions& link = result.configuration.link;
  EXPECT_TRUE(result.configuration.has_broker);
  EXPECT_EQ(link.url, "mqtts://b:8883");
  EXPECT_EQ(link.client_id, "d");
  EXPECT_EQ(link.ca_file, "/etc/fieldpost/certificates/ca.pem");
  EXPECT_EQ(link.certificate_file, "/etc/fieldpost/c");
  EXPECT_EQ(link.key_file, "/etc/fieldpost/k");
  EXPECT_EQ(link.crl_file, "/x/crl");
  EXPECT_EQ(link.server_name, "s");
  EXPECT_EQ(link.alpn, Lines{"a"});
  EXPECT_EQ(link.mqtt_version, LinkOptions::MqttVersion::v3_1_1);
  EXPECT_EQ(link.tls_min, LinkOptions::TlsVersion::v1_3);
  EXPECT_EQ(link.tls_max, LinkOptions::TlsVersion::v1_3);
  EXPECT_EQ(link.proxy, "http://p:1");
  EXPECT_EQ(link.username, "u");
  EXPECT_EQ(link.keep_alive, seconds{30});
  EXPECT_EQ(link.acknowledge_timeout, seconds{5});
  EXPECT_EQ(link.connect_timeout, seconds{7});
  EXPECT_EQ(link.backoff_max, seconds{9});
  EXPECT_EQ(result.configuration.topic_prefix, "t/u");
}

TEST(Configuration, DeclaresTheDefaultsOfTheOptionStructs) {
  const ConfigurationResult result = read(kBroker);
  const LinkOptions link;
  EXPECT_EQ(result.configuration.link.keep_alive, link.keep_alive);
  EXPECT_EQ(result.configuration.link.connect_timeout, link.connect_timeout);
  EXPECT_EQ(result.configuration.link.backoff_max, link.backoff_max);
  EXPECT_EQ(result.configuration.link.acknowledge_timeout, link.acknowledge_timeout);
  EXPECT_EQ(result.configuration.link.mqtt_version, link.mqtt_version);
  EXPECT_EQ(result.configuration.link.tls_min, link.tls_min);
  EXPECT_EQ(result.configuration.link.tls_max, link.tls_max);
  const StoreOptions store;
  EXPECT_EQ(result.configuration.store.quota_bytes, store.quota_bytes);
  EXPECT_EQ(result.configuration.store.age_max, store.age_max);
  EXPECT_EQ(result.configuration.store.flush_interval, store.flush_interval);
  EXPECT_EQ(result.configuration.store.flush_interval_max, store.flush_interval_max);
  EXPECT_EQ(result.configuration.store.flash_bytes_per_day, store.flash_bytes_per_day);
  EXPECT_EQ(result.configuration.store.thin_window, store.thin_window);
  EXPECT_EQ(result.configuration.store.message_bytes_max, store.message_bytes_max);
}

TEST(Configuration, FillsHowTheOutboxIsWritten) {
  const ConfigurationResult result = read(std::string{kBroker} + "[outbox]\nflash_bytes_per_day = \"2GiB\"\nflush_interval_max = \"1m\"\n"
                                                                 "thin_window = \"0s\"\nsegment_max = \"64KiB\"\n");
  ASSERT_EQ(result.errors, 0U);
  EXPECT_EQ(result.configuration.store.flash_bytes_per_day, std::int64_t{2} << 30);
  EXPECT_EQ(result.configuration.store.flush_interval_max, seconds{60});
  EXPECT_EQ(result.configuration.store.thin_window, seconds{0});
  EXPECT_EQ(result.configuration.store.message_bytes_max, 65'536U);
}

TEST(Configuration, FillsWhatGoesToTheBrokerAndHowMuch) {
  const Configuration none = read(kBroker).configuration;
  EXPECT_EQ(none.byte_limits.per_second, 0);
  EXPECT_EQ(none.byte_limits.per_day, 0);
  EXPECT_EQ(none.payload.format, PayloadOptions::Format::json);
  EXPECT_EQ(none.payload.compression, PayloadOptions::Compression::none);
  const ConfigurationResult result =
      read(std::string{kBroker} + "[sync]\nbytes_per_second_max = \"2KiB\"\nbytes_per_day_max = \"50MiB\"\ncompression = \"zstd\"\n");
  ASSERT_EQ(result.errors, 0U);
  EXPECT_EQ(result.configuration.byte_limits.per_second, 2'048);
  EXPECT_EQ(result.configuration.byte_limits.per_day, 50 << 20);
  EXPECT_EQ(result.configuration.payload.compression, PayloadOptions::Compression::zstd);
  EXPECT_EQ(read(std::string{kBroker} + "[sync]\npayload = \"native\"\n").configuration.payload.format, PayloadOptions::Format::native);
  EXPECT_EQ(errors_of(std::string{kBroker} + "[sync]\npayload = \"native\"\ncompression = \"zstd\"\n").size(), 1U);
}

TEST(Configuration, FillsThePayloadFormats) {
  const std::string sync = std::string{kBroker} + "[sync]\npayload = ";
  EXPECT_EQ(read(sync + "\"senml+json\"\ncompression = \"zstd\"\n").configuration.payload.format, PayloadOptions::Format::senml_json);
  EXPECT_EQ(read(sync + "\"senml+cbor\"\n").configuration.payload.format, PayloadOptions::Format::senml_cbor);
  const ConfigurationResult result = read(sync + "\"sparkplug_b\"\nsparkplug_group = \"plant 1\"\nsparkplug_primary_host = \"scada\"\n");
  ASSERT_EQ(result.errors, 0U);
  EXPECT_EQ(result.configuration.payload.format, PayloadOptions::Format::sparkplug_b);
  EXPECT_EQ(result.configuration.sparkplug.group, "plant 1");
  EXPECT_EQ(result.configuration.sparkplug.primary_host, "scada");
  EXPECT_TRUE(result.configuration.sparkplug.file.ends_with("/sparkplug_bdseq"));
}

TEST(Configuration, RefusesWhatSparkplugCannotDo) {
  const std::string sparkplug = std::string{kBroker} + "[sync]\npayload = \"sparkplug_b\"\n";
  EXPECT_EQ(errors_of(sparkplug + "compression = \"zstd\"\n").size(), 1U);
  EXPECT_EQ(errors_of(sparkplug + "[cloud]\npresence = true\n").size(), 1U);
  EXPECT_EQ(errors_of(sparkplug + "sparkplug_group = \"a/b\"\n").size(), 1U);
  EXPECT_EQ(errors_of(sparkplug + "sparkplug_group = \"\"\n").size(), 1U);
  EXPECT_EQ(errors_of(sparkplug + "sparkplug_primary_host = \"#\"\n").size(), 1U);
  EXPECT_EQ(errors_of(std::string{kBroker} + "[sync]\nsparkplug_group = \"a\"\n").size(), 1U);
  EXPECT_FALSE(errors_of("[device]\nname = \"gw\"\n[broker]\nurl = \"mqtts://abc-ats.iot.eu-west-1.amazonaws.com:8883\"\n"
                         "certificate_file = \"c\"\nkey_file = \"k\"\n[cloud]\nprofile = \"aws\"\n[sync]\npayload = \"sparkplug_b\"\n")
                   .empty());
}

TEST(Configuration, FillsTheIdentity) {
  const std::string device = "[device]\nname = \"gw-1\"\n[broker]\nurl = \"mqtts://b:8883\"\n";
  const IdentityOptions plain = read(device).configuration.identity;
  EXPECT_EQ(plain.authority, IdentityOptions::Authority::none);
  EXPECT_EQ(plain.key, KeyKind::p256);
  EXPECT_EQ(plain.subject, "CN=gw-1");
  EXPECT_FALSE(plain.renew_after);
  const ConfigurationResult result =
      read(device + "[identity]\nauthority = \"mqtt\"\nkey = \"p384\"\nsubject = \"CN=a,O=b\"\nrenew_after = \"365d\"\n");
  ASSERT_EQ(result.errors, 0U);
  EXPECT_EQ(result.configuration.identity.authority, IdentityOptions::Authority::mqtt);
  EXPECT_EQ(result.configuration.identity.key, KeyKind::p384);
  EXPECT_EQ(result.configuration.identity.subject, "CN=a,O=b");
  EXPECT_EQ(result.configuration.identity.renew_after, std::chrono::hours{24 * 365});
}

TEST(Configuration, RefusesToRenewACertificateThatIsNotItsOwn) {
  EXPECT_EQ(errors_of(std::string{kBroker} + "[identity]\nauthority = \"mqtt\"\n"),
            Lines{"gateway.toml:6: \"authority\" in [identity] renews what `fieldpost provision` made; [broker] names a "
                  "certificate_file of its own: leave one of the two out"});
}

TEST(Configuration, FillsSeriesAndRules) {
  const ConfigurationResult result = read(
      "[[series]]\nmatch = \"a_*\"\nscale = 2\noffset = -1\nvalid_range = [0, 10]\n"
      "out_of_range = \"drop\"\nspike = true\ndeadband = { absolute = 0.5, heartbeat = \"5m\" }\n"
      "interval_min = \"2s\"\nrate = \"replace\"\nwindow = \"1m\"\nquantiles = [0.5]\nlane = \"bulk\"\n"
      "[[rule]]\nname = \"r\"\nseries = \"a_*\"\nlabels = { x = \"y*\" }\nof = \"p95\"\nwarn_above = 1\n"
      "critical_above = 2\nhysteresis = 0.5\nfor = \"30s\"\nno_data_for = \"2m\"\n"
      "no_data_severity = \"critical\"\n");
  ASSERT_EQ(result.errors, 0U) << to_text(result.problems.front());
  Series matched;
  matched.name = "a_b";
  const SeriesPolicy policy = result.configuration.series.of(matched);
  EXPECT_DOUBLE_EQ(policy.filter.scale, 2);
  EXPECT_DOUBLE_EQ(policy.filter.offset, -1);
  ASSERT_TRUE(policy.filter.valid_range);
  EXPECT_DOUBLE_EQ(policy.filter.valid_range->max, 10);
  EXPECT_EQ(policy.filter.out_of_range, FilterOptions::OutOfRange::drop);
  EXPECT_TRUE(policy.filter.median_of_three);
  ASSERT_TRUE(policy.filter.deadband);
  EXPECT_DOUBLE_EQ(policy.filter.deadband->absolute, 0.5);
  EXPECT_EQ(policy.filter.deadband->heartbeat, std::chrono::minutes{5});
  EXPECT_EQ(policy.filter.interval_min, seconds{2});
  EXPECT_EQ(policy.filter.rate, FilterOptions::Rate::replace);
  EXPECT_EQ(policy.aggregate.window, seconds{60});
  EXPECT_EQ(policy.aggregate.quantiles, std::vector<double>{0.5});
  EXPECT_EQ(policy.lane, Lane::bulk);

  ASSERT_EQ(result.configuration.rules.size(), 1U);
  const RuleOptions& rule = result.configuration.rules[0];
  EXPECT_EQ(rule.metric, "a_*");
  EXPECT_EQ(rule.labels, (std::vector<Label>{{"x", "y*"}}));
  EXPECT_EQ(rule.statistic, RuleOptions::Statistic::p95);
  EXPECT_EQ(rule.warn_above, 1.0);
  EXPECT_EQ(rule.critical_above, 2.0);
  EXPECT_EQ(rule.warn_below, std::nullopt);
  EXPECT_EQ(rule.for_duration, seconds{30});
  EXPECT_EQ(rule.no_data_after, seconds{120});
  EXPECT_EQ(rule.no_data_severity, Severity::critical);
}

class Examples : public testing::TestWithParam<const char*> {};

TEST_P(Examples, LoadWithoutProblems) {
  const std::string path =
      std::string{FIELDPOST_TESTS_DIRECTORY} + "/../packaging/examples/" + GetParam();
  std::ifstream file{path};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  ASSERT_FALSE(text.empty()) << path;
  for (const Problem& problem : read(text).problems) ADD_FAILURE() << to_text(problem);
}

INSTANTIATE_TEST_SUITE_P(Packaged, Examples, testing::Values("gateway.toml", "encoder.toml", "aws.toml", "azure.toml", "fleet.toml"),
                         [](const auto& test) {
                           const std::string name{test.param};
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace fieldpost
