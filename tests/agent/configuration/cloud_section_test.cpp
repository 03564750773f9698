// SPDX-License-Identifier: Apache-2.0
// What contradicts the profile is refused with line, key and what to do instead.
#include "agent/configuration/cloud_section.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

using Lines = std::vector<std::string>;
using Profile = CloudOptions::Profile;

ConfigurationResult read(const std::string& text) {
  return read_configuration(text, {.file_name = "gw.toml",
                                   .directory = "/etc/fieldpost",
                                   .host_name = "gw17",
                                   .drivers = driver_table(),
                                   .files_are_checked = false});
}

Lines errors_of(const std::string& text) {
  Lines lines;
  for (const Problem& problem : read(text).problems) {
    if (problem.severity == Problem::Severity::error) lines.push_back(to_text(problem));
  }
  return lines;
}

std::string with(const std::string& profile, const std::string& url, const std::string& broker_keys, const std::string& cloud_keys = "") {
  return "[broker]\nurl = \"" + url + "\"\n" + broker_keys + "[cloud]\nprofile = \"" + profile + "\"\n" + cloud_keys;
}

std::string aws(const std::string& broker_keys, const std::string& cloud_keys = "") {
  return with("aws", "mqtts://abc-ats.iot.eu-central-1.amazonaws.com", broker_keys, cloud_keys);
}

std::string azure(const std::string& broker_keys, const std::string& cloud_keys = "") {
  return with("azure", "mqtts://acme.azure-devices.net", broker_keys, cloud_keys);
}

TEST(CloudSection, PlainIsTheDefaultAndChangesNothing) {
  const ConfigurationResult result = read("[broker]\nurl = \"mqtts://b\"\n");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.configuration.cloud.profile, Profile::plain);
  EXPECT_FALSE(result.configuration.cloud.desired_state);
  EXPECT_EQ(result.configuration.cloud.confirm_within, seconds{120});
  EXPECT_EQ(result.configuration.link.mqtt_version, LinkOptions::MqttVersion::v5);
}

TEST(CloudSection, ARightOneOfEachCloudIsTaken) {
  const ConfigurationResult a = read(aws("keep_alive = \"30s\"\n", "basic_ingest_rule = \"Readings_1\"\nshadow = \"field-1\"\ndevice_defender = true\n"));
  EXPECT_TRUE(a.ok());
  EXPECT_EQ(a.configuration.cloud.ingest_rule, "Readings_1");
  EXPECT_EQ(a.configuration.cloud.shadow, "field-1");
  EXPECT_TRUE(a.configuration.cloud.defender);
  const ConfigurationResult b = read(azure("keep_alive = \"1177s\"\n"));
  EXPECT_TRUE(b.ok());
  EXPECT_EQ(b.configuration.link.username, "acme.azure-devices.net/gw17/?api-version=2021-04-12");
  EXPECT_EQ(b.configuration.link.mqtt_version, LinkOptions::MqttVersion::v3_1_1);
}

TEST(CloudSection, AnUnknownProfileHasASuggestion) {
  EXPECT_EQ(errors_of(with("awss", "mqtts://b", "")), Lines{"gw.toml:4: \"profile\" in [cloud] is \"awss\"; did you mean \"aws\"?"});
}

TEST(CloudSection, KeepAliveIsWithinWhatTheServiceTakes) {
  EXPECT_EQ(errors_of(aws("keep_alive = \"29s\"\n")),
            Lines{"gw.toml:3: \"keep_alive\" in [broker] is 29 s; AWS IoT Core takes 30 to 1200 s"});
  EXPECT_EQ(errors_of(aws("keep_alive = \"1201s\"\n")),
            Lines{"gw.toml:3: \"keep_alive\" in [broker] is 1201 s; AWS IoT Core takes 30 to 1200 s"});
  EXPECT_EQ(errors_of(azure("keep_alive = \"1178s\"\n")),
            Lines{"gw.toml:3: \"keep_alive\" in [broker] is 1178 s; Azure IoT Hub takes 5 to 1177 s"});
}

TEST(CloudSection, AzureHasNoMqtt5NoTopicsAndNoUserNames) {
  EXPECT_EQ(errors_of(azure("mqtt_version = \"5\"\n")),
            Lines{"gw.toml:3: \"mqtt_version\" in [broker] is 5, but Azure IoT Hub speaks 3.1.1 only; leave it out"});
  EXPECT_EQ(errors_of(azure("topic_prefix = \"a\"\n")),
            Lines{"gw.toml:3: \"topic_prefix\" in [broker] is not ours to choose with Azure IoT Hub; leave it out"});
  EXPECT_EQ(errors_of(azure("username = \"a\"\n")),
            Lines{"gw.toml:3: \"username\" in [broker] is not ours to choose with Azure IoT Hub; leave it out"});
  EXPECT_EQ(errors_of(azure("", "[identity]\nauthority = \"mqtt\"\n")),
            Lines{"gw.toml:6: \"authority\" in [identity] needs topics that Azure IoT Hub does not have"});
}

TEST(CloudSection, TopicsAreNoDeeperAndNoLongerThanAwsTakes) {
  EXPECT_TRUE(errors_of(aws("topic_prefix = \"1/2/3/4/5/6\"\n")).empty());
  EXPECT_EQ(errors_of(aws("topic_prefix = \"1/2/3/4/5/6/7\"\n")),
            Lines{"gw.toml:3: \"topic_prefix\" in [broker] makes topics of 8 slashes, such as 1/2/3/4/5/6/7/gw17/alert; AWS IoT Core takes 7"});
  // PREFIX/gw17/alert
  EXPECT_TRUE(errors_of(aws("topic_prefix = \"" + std::string(245, 'p') + "\"\n")).empty());
  EXPECT_EQ(errors_of(aws("topic_prefix = \"" + std::string(246, 'p') + "\"\n")),
            Lines{"gw.toml:3: \"topic_prefix\" in [broker] makes topics of 257 bytes; AWS IoT Core takes 256"});
  EXPECT_TRUE(errors_of(aws("topic_prefix = \"1/2/3/4/5/6\"\n", "basic_ingest_rule = \"R\"\n")).empty()) << "the rule's own part is free";
}

TEST(CloudSection, TheUrlIsOneOfTheService) {
  EXPECT_EQ(errors_of(with("azure", "mqtts://b.example", "")),
            Lines{"gw.toml:2: \"url\" in [broker] is \"mqtts://b.example\", which names no hub (HUB.azure-devices.net); if it is a "
                  "gateway before one, set \"hub\" in [cloud]"});
  const Lines aws_errors = errors_of(with("aws", "mqtts://abc.iot.eu-central-1.amazonaws.com", ""));
  ASSERT_EQ(aws_errors.size(), 1U);
  EXPECT_TRUE(aws_errors[0].starts_with("gw.toml:2: \"url\" in [broker] is \"mqtts://abc.iot.eu-central-1.amazonaws.com\", which is no endpoint"));
}

TEST(CloudSection, AThingsNameHasNoDot) {
  EXPECT_EQ(errors_of("[device]\nname = \"gw.1\"\n" + aws("")),
            Lines{"gw.toml:6: the device is called \"gw.1\", but with AWS IoT Core a thing's name may hold letters, digits, _ and -, and "
                  "no dot; set \"name\" in [device]"});
}

TEST(CloudSection, KeysOfAnotherProfileAreRefused) {
  EXPECT_EQ(errors_of(azure("", "basic_ingest_rule = \"R\"\n")),
            Lines{"gw.toml:5: \"basic_ingest_rule\" in [cloud] means nothing with profile = \"azure\"; leave it out"});
  EXPECT_EQ(errors_of(aws("", "hub = \"h\"\n")), Lines{"gw.toml:5: \"hub\" in [cloud] means nothing with profile = \"aws\"; leave it out"});
  EXPECT_EQ(errors_of(with("plain", "mqtts://b", "", "presence = true\n")).size(), 0U);
  EXPECT_EQ(errors_of(aws("", "presence = true\n")).size(), 1U);
  EXPECT_EQ(errors_of(with("plain", "mqtts://b", "", "device_defender = true\n")),
            Lines{"gw.toml:5: \"device_defender\" in [cloud] means nothing with profile = \"plain\"; leave it out"});
}

TEST(CloudSection, NamesOfRulesAndShadowsAreThoseThatAwsTakes) {
  EXPECT_EQ(errors_of(aws("", "basic_ingest_rule = \"a-b\"\n")),
            Lines{"gw.toml:5: \"basic_ingest_rule\" in [cloud] is \"a-b\"; a rule's name may hold 1 to 64 letters, digits and _"});
  EXPECT_EQ(errors_of(aws("", "shadow = \"a/b\"\n")),
            Lines{"gw.toml:5: \"shadow\" in [cloud] is \"a/b\"; a shadow's name may hold 1 to 64 letters, digits, _ and -"});
}

TEST(CloudSection, DefenderReportsAtMostEveryFiveMinutes) {
  EXPECT_EQ(errors_of(aws("", "device_defender_interval = \"299s\"\n")).size(), 1U);
  EXPECT_TRUE(errors_of(aws("", "device_defender_interval = \"300s\"\n")).empty());
}

TEST(CloudSection, ACloudNeedsABroker) {
  EXPECT_EQ(errors_of("[cloud]\nprofile = \"aws\"\n"),
            Lines{"gw.toml:2: \"profile\" in [cloud] needs [broker] with the url of AWS IoT Core"});
}

}  // namespace
}  // namespace fieldpost
