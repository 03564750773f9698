// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/device_shadows.hpp"

#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kNow = 1'793'500'000;
const std::size_t kStateBytes = DeviceShadows::state_bytes_max();

class DeviceShadowsTest : public FleetFixture {
 protected:
  int ask(const std::string& place, const std::string& payload) {
    said_.clear();
    const int code = shadows_.receive("gw-1", place, payload, kNow);
    commit();
    return code;
  }
  DeviceShadows shadows_{*database_, say()};
};

TEST_F(DeviceShadowsTest, DesiredComesAsDeltaAndIsGoneWhenReported) {
  EXPECT_EQ(ask("get", ""), 404);
  EXPECT_EQ(text(answer("shadow/get/rejected"), "code"), "404");
  EXPECT_EQ(ask("update", R"({"state":{"desired":{"a":1,"b":{"c":2}}},"clientToken":"t"})"), 0);
  EXPECT_EQ(text(answer("shadow/update/accepted"), "version"), "1");
  EXPECT_EQ(text(answer("shadow/update/accepted"), "clientToken"), "t");
  EXPECT_EQ(text(answer("shadow/update/delta"), "state"), R"({"a":1,"b":{"c":2}})");
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"a":1}}})"), 0);
  EXPECT_EQ(count("shadow/update/delta"), 0U) << "a device hears no delta of its own report";
  EXPECT_EQ(ask("get", ""), 0);
  const Json document = answer("shadow/get/accepted");
  EXPECT_EQ(text(document, "version"), "2");
  EXPECT_EQ(text(*document.at("state"), "delta"), R"({"b":{"c":2}})");
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"b":{"c":2}}}})"), 0);
  ask("get", "");
  EXPECT_EQ(text(*answer("shadow/get/accepted").at("state"), "delta"), "absent");
}

TEST_F(DeviceShadowsTest, AVersionMakesItConditional) {
  ask("update", R"({"state":{"desired":{"a":1}}})");
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"a":1}},"version":2})"), 409);
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"a":1}},"version":1})"), 0);
}

TEST_F(DeviceShadowsTest, TheVersionSurvivesADelete) {
  ask("update", R"({"state":{"desired":{"a":1}}})");
  EXPECT_EQ(ask("delete", ""), 0);
  EXPECT_EQ(text(answer("shadow/delete/accepted"), "version"), "1");
  EXPECT_EQ(ask("get", ""), 404);
  EXPECT_EQ(ask("delete", ""), 404);
  ask("update", R"({"state":{"reported":{"x":1}}})");
  EXPECT_EQ(text(answer("shadow/update/accepted"), "version"), "3");
  ask("get", "");
  EXPECT_EQ(text(*answer("shadow/get/accepted").at("state"), "desired"), "absent") << "what was deleted does not come back";
}

TEST_F(DeviceShadowsTest, ANullTakesAWholeSideAway) {
  ask("update", R"({"state":{"desired":{"a":1},"reported":{"b":2}}})");
  EXPECT_EQ(ask("update", R"({"state":{"desired":null}})"), 0);
  EXPECT_EQ(*shadows_.document("gw-1", ""), R"({"state":{"reported":{"b":2}},"version":2})");
}

TEST_F(DeviceShadowsTest, RefusesWhatAwsRefuses) {
  EXPECT_EQ(ask("update", "{"), 400);
  EXPECT_EQ(ask("update", "{}"), 400);
  EXPECT_EQ(ask("update", R"({"state":[]})"), 400);
  EXPECT_EQ(ask("update", R"({"state":{"desired":1}})"), 400);
  EXPECT_EQ(ask("update", R"({"state":{"wanted":{}}})"), 400);
  EXPECT_EQ(ask("update", R"({"state":{"desired":{"a":[null]}}})"), 400);
  EXPECT_EQ(ask("update", R"({"state":{},"version":"x"})"), 400);
  EXPECT_EQ(ask("update", std::string(2 * kStateBytes + DeviceShadows::kAroundBytesMax + 1, ' ')), 413);
  EXPECT_EQ(text(answer("shadow/update/rejected"), "code"), "413");
}

TEST_F(DeviceShadowsTest, EachSideHasTheRoomThatDevicesCountOn) {
  const std::string full = R"({"a":")" + std::string(kStateBytes - 8, 'x') + "\"}";
  ASSERT_EQ(full.size(), kStateBytes);
  EXPECT_EQ(ask("update", R"({"state":{"desired":)" + full + R"(,"reported":)" + full + "}}"), 0);
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"b":1}}})"), 413);
  EXPECT_EQ(text(answer("shadow/update/rejected"), "code"), "413");
  EXPECT_EQ(ask("update", R"({"state":{"desired":{"b":1}}})"), 413);
}

TEST_F(DeviceShadowsTest, AListWhoseMembersStandInAnotherOrderIsNoDifference) {
  ask("update", R"({"state":{"desired":{"a":[{"x":1,"y":2}]},"reported":{"a":[{"y":2,"x":1}]}}})");
  EXPECT_EQ(count("shadow/update/delta"), 0U);
}

TEST_F(DeviceShadowsTest, NamedOnesStandAlone) {
  ask("name/mode/update", R"({"state":{"desired":{"a":1}}})");
  EXPECT_EQ(text(answer("shadow/name/mode/update/delta"), "state"), R"({"a":1})");
  EXPECT_EQ(ask("get", ""), 404);
  EXPECT_EQ(ask("name/mode/get", ""), 0);
  EXPECT_EQ(ask("name/" + std::string(65, 'n') + "/update", R"({"state":{}})"), 400);
}

TEST_F(DeviceShadowsTest, ADeviceHasABoundedNumberOfThem) {
  for (std::size_t i = 0; i < DeviceShadows::kNamesMax; ++i) {
    EXPECT_EQ(ask("name/s" + std::to_string(i) + "/update", R"({"state":{"reported":{"a":1}}})"), 0);
  }
  EXPECT_EQ(ask("update", R"({"state":{"reported":{"a":1}}})"), 413);
  EXPECT_EQ(ask("name/s0/update", R"({"state":{"reported":{"a":2}}})"), 0);
}

}  // namespace
}  // namespace fieldpost
