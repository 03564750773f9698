// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/azure_assignment.hpp"

#include <gtest/gtest.h>

#include "platform/durable_file.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

struct AzureAssignmentTest : testing::Test {
  AzureAssignmentTest() {
    cloud.profile = CloudOptions::Profile::azure;
    link.url = "mqtts://global.azure-devices-provisioning.net:8883";
    link.client_id = "gw";
  }
  TemporaryDirectory directory;
  CloudOptions cloud;
  LinkOptions link;
};

TEST_F(AzureAssignmentTest, TheHubTakesThePlaceOfTheHostInTheUrl) {
  ASSERT_FALSE(fit(cloud, link));
  ASSERT_TRUE(write_azure_assignment(directory.path(), {"hub-7.azure-devices.net", "gw-7", "0ne"}));
  ASSERT_TRUE(use_azure_assignment(directory.path(), cloud, link));
  EXPECT_EQ(link.url, "mqtts://hub-7.azure-devices.net:8883");
  EXPECT_EQ(link.client_id, "gw-7");
  EXPECT_EQ(link.username, "hub-7.azure-devices.net/gw-7/?api-version=2021-04-12");
  EXPECT_EQ(link.mqtt_version, LinkOptions::MqttVersion::v3_1_1);
}

TEST_F(AzureAssignmentTest, AGatewayBeforeTheHubStays) {
  link.url = "mqtts://gateway.plant:8884";
  cloud.hub = "old.azure-devices.net";
  ASSERT_TRUE(write_azure_assignment(directory.path(), {"hub-7.azure-devices.net", "gw-7", "0ne"}));
  ASSERT_TRUE(use_azure_assignment(directory.path(), cloud, link));
  EXPECT_EQ(link.url, "mqtts://gateway.plant:8884");
  EXPECT_EQ(cloud.hub, "hub-7.azure-devices.net");
}

TEST_F(AzureAssignmentTest, WithoutOneOrWithAnotherProfileNothingChanges) {
  ASSERT_TRUE(use_azure_assignment(directory.path(), cloud, link));
  ASSERT_TRUE(write_azure_assignment(directory.path(), {"hub-7.azure-devices.net", "gw-7", "0ne"}));
  cloud.profile = CloudOptions::Profile::aws;
  ASSERT_TRUE(use_azure_assignment(directory.path(), cloud, link));
  EXPECT_EQ(link.url, "mqtts://global.azure-devices-provisioning.net:8883");
}

TEST_F(AzureAssignmentTest, WhatNamesNoHubIsRefused) {
  for (const char* text : {"", "{}", R"({"hub":"a/b","device_id":"x"})", R"({"hub":"h","device_id":""})", R"({"hub":1,"device_id":"x"})"}) {
    ASSERT_TRUE(replace_file_durably(directory.file("azure.json"), text));
    const auto used = use_azure_assignment(directory.path(), cloud, link);
    ASSERT_FALSE(used) << text;
    EXPECT_EQ(used.error().kind(), ErrorKind::Malformed);
  }
}

}  // namespace
}  // namespace fieldpost
