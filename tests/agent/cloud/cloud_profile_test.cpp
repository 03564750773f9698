// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/cloud_profile.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using Profile = CloudOptions::Profile;

std::optional<std::string> fit_url(Profile profile, const std::string& url, LinkOptions& link, const std::string& hub = "") {
  CloudOptions options{.profile = profile, .hub = hub};
  link.url = url;
  link.client_id = "gw-1";
  return fit(options, link);
}

TEST(CloudProfile, NamesAreThoseOfTheConfiguration) {
  EXPECT_EQ(cloud_profile("plain"), Profile::plain);
  EXPECT_EQ(cloud_profile("aws"), Profile::aws);
  EXPECT_EQ(cloud_profile("azure"), Profile::azure);
  EXPECT_FALSE(cloud_profile("gcp"));
  EXPECT_EQ(limits_of(Profile::azure).name, "azure");
}

TEST(CloudProfile, PlainAndAwsReadingsGoBelowThePrefix) {
  EXPECT_EQ(lane_topic({}, "field/post", "gw-1", "live", "application/json"), "field/post/gw-1/live");
  EXPECT_EQ(lane_topic({.profile = Profile::aws}, "fieldpost", "gw-1", "live", "application/json"), "fieldpost/gw-1/live");
}

TEST(CloudProfile, BasicIngestGoesBeforeTheTopic) {
  EXPECT_EQ(lane_topic({.profile = Profile::aws, .ingest_rule = "Readings"}, "fp", "gw-1", "alert", ""), "$aws/rules/Readings/fp/gw-1/alert");
}

TEST(CloudProfile, AzurePropertiesStandInTheTopicAndTheSystemsOwnAreEscaped) {
  EXPECT_EQ(lane_topic({.profile = Profile::azure}, "ignored", "gw-1", "live", "application/json"),
            "devices/gw-1/messages/events/lane=live&%24.ct=application%2Fjson&%24.ce=utf-8");
  EXPECT_EQ(lane_topic({.profile = Profile::azure}, "ignored", "gw-1", "bulk", "application/json+zstd"),
            "devices/gw-1/messages/events/lane=bulk&%24.ct=application%2Fjson%2Bzstd");
}

TEST(CloudProfile, ThingsStandBelowAwsOrThePrefix) {
  EXPECT_EQ(thing_place({}, "fieldpost", "gw-1"), "fieldpost/gw-1");
  EXPECT_EQ(thing_place({.profile = Profile::aws}, "fieldpost", "gw-1"), "$aws/things/gw-1");
}

TEST(CloudProfile, AwsTakesOnlyItsAtsEndpointOrADomainOfOnesOwn) {
  LinkOptions link;
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://abc-ats.iot.eu-central-1.amazonaws.com", link));
  EXPECT_TRUE(fit_url(Profile::aws, "mqtts://abc.iot.eu-central-1.amazonaws.com", link));
  EXPECT_TRUE(fit_url(Profile::aws, "mqtts://abc.credentials.iot.eu-central-1.amazonaws.com", link));
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://iot.acme.example", link));
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://data.iot-fips.us-east-1.amazonaws.com", link));
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://vpce-0a1-b2.data.iot.us-east-1.vpce.amazonaws.com", link));
  EXPECT_TRUE(fit_url(Profile::aws, "wss://abc-ats.iot.eu-central-1.amazonaws.com/mqtt", link));
}

TEST(CloudProfile, AwsOnPort443NamesItsProtocolUnlessOneIsGiven) {
  LinkOptions link;
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://abc-ats.iot.eu-central-1.amazonaws.com:8883", link));
  EXPECT_TRUE(link.alpn.empty());
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://abc-ats.iot.eu-central-1.amazonaws.com:443", link));
  EXPECT_EQ(link.alpn, std::vector<std::string>{"x-amzn-mqtt-ca"});
  link.alpn = {"mqtt"};
  EXPECT_FALSE(fit_url(Profile::aws, "mqtts://abc-ats.iot.eu-central-1.amazonaws.com:443", link));
  EXPECT_EQ(link.alpn, std::vector<std::string>{"mqtt"});
}

TEST(CloudProfile, AzureGetsItsUserNameAndMqtt311) {
  LinkOptions link;
  EXPECT_FALSE(fit_url(Profile::azure, "mqtts://acme.azure-devices.net", link));
  EXPECT_EQ(link.username, "acme.azure-devices.net/gw-1/?api-version=2021-04-12");
  EXPECT_EQ(link.mqtt_version, LinkOptions::MqttVersion::v3_1_1);
}

TEST(CloudProfile, AzureBehindAGatewayNamesTheHub) {
  LinkOptions link;
  EXPECT_TRUE(fit_url(Profile::azure, "mqtts://edge.local", link));
  EXPECT_FALSE(fit_url(Profile::azure, "mqtts://edge.local", link, "acme.azure-devices.net"));
  EXPECT_EQ(link.username, "acme.azure-devices.net/gw-1/?api-version=2021-04-12");
}

TEST(CloudProfile, PlainLeavesTheLinkAlone) {
  LinkOptions link;
  link.username = "me";
  EXPECT_FALSE(fit_url(Profile::plain, "mqtts://broker:443", link));
  EXPECT_TRUE(link.alpn.empty());
  EXPECT_EQ(link.username, "me");
  EXPECT_EQ(link.mqtt_version, LinkOptions::MqttVersion::v5);
}

TEST(CloudProfile, AThingsNameHasNoDot) {
  EXPECT_TRUE(fault_of_device_name(Profile::aws, "gw.1"));
  EXPECT_FALSE(fault_of_device_name(Profile::aws, "gw-1_a"));
  EXPECT_FALSE(fault_of_device_name(Profile::azure, "gw.1"));
}

TEST(CloudProfile, EscapesAllButUnreservedBytes) {
  EXPECT_EQ(percent_encoded("aZ9-_.~"), "aZ9-_.~");
  EXPECT_EQ(percent_encoded("a b&c=/\xC3\xA4"), "a%20b%26c%3D%2F%C3%A4");
}

}  // namespace
}  // namespace fieldpost
