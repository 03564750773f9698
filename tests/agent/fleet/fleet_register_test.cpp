// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/fleet_register.hpp"

#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kNow = 1'793'500'000;

class FleetRegisterTest : public FleetFixture {
 protected:
  Json devices(const std::string& group = "") {
    JsonWriter json;
    register_.write_devices(json, group, "");
    return *Json::parse(std::move(json).take());
  }
  FleetRegister register_{*database_};
};

TEST_F(FleetRegisterTest, KnowsWhoWasHeardOfAndWhen) {
  EXPECT_TRUE(register_.heard("gw-1", kNow));
  EXPECT_TRUE(register_.heard("gw-1", kNow + 5));
  EXPECT_EQ(text(devices().elements()[0], "seen"), std::to_string(kNow)) << "not written anew for each message";
  EXPECT_TRUE(register_.heard("gw-1", kNow + 50));
  EXPECT_EQ(text(devices().elements()[0], "seen"), std::to_string(kNow + 50));
  EXPECT_EQ(text(devices().elements()[0], "online"), "?");
}

TEST_F(FleetRegisterTest, NamesAreOneLevelOfATopic) {
  for (const char* wrong : {"", "a/b", "a b", "+", "#", "a*", "a?", "a,b", "a\n"}) EXPECT_FALSE(FleetRegister::is_name(wrong)) << wrong;
  EXPECT_TRUE(FleetRegister::is_name("gw-1.plant:7"));
  EXPECT_TRUE(FleetRegister::is_name(std::string(128, 'a')));
  EXPECT_FALSE(FleetRegister::is_name(std::string(129, 'a')));
  EXPECT_FALSE(register_.heard("a b", kNow));
}

TEST_F(FleetRegisterTest, PresenceTellsOnlyWhatIsNew) {
  EXPECT_TRUE(register_.presence("gw-1", R"({"v":1,"online":true,"version":"1.2","started":"s"})", kNow));
  EXPECT_FALSE(register_.presence("gw-1", R"({"v":1,"online":true,"version":"1.2","started":"s"})", kNow + 1));
  EXPECT_EQ(text(devices().elements()[0], "version"), "1.2");
  EXPECT_EQ(text(devices().elements()[0], "online"), "yes");
  EXPECT_FALSE(register_.presence("gw-1", R"({"v":1,"online":false})", kNow + 100));
  EXPECT_EQ(text(devices().elements()[0], "online"), "no");
  EXPECT_EQ(text(devices().elements()[0], "seen"), std::to_string(kNow + 100));
  register_.presence("gw-1", R"({"v":1,"online":false})", kNow + 500);
  EXPECT_EQ(text(devices().elements()[0], "seen"), std::to_string(kNow + 100)) << "a retained will is old news";
  EXPECT_TRUE(register_.presence("gw-1", R"({"v":1,"online":true,"version":"1.3"})", kNow + 600));
  EXPECT_EQ(text(devices().elements()[0], "version"), "1.3");
}

TEST_F(FleetRegisterTest, WhatADeviceSaysDoesNotSteerTheOperatorsTerminal) {
  register_.presence("gw-1", "{\"online\":true,\"version\":\"1\\u001b[2J\\u009b2J\\n\",\"started\":\"" + std::string(63, 'a') + "\u00e4\"}", kNow);
  EXPECT_EQ(text(devices().elements()[0], "version"), "1?[2J??2J?");
  auto rows = database_->ask("SELECT started FROM device");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(0), std::string(63, 'a') + "?") << "no half character";
}

TEST_F(FleetRegisterTest, APageIsBoundedInBytesAndTheNextOneGoesOn) {
  const std::string name(120, 'n');
  for (int i = 0; i < 2000; ++i) register_.heard(name + std::to_string(10'000 + i), kNow);
  std::string after;
  std::size_t seen = 0;
  for (int pages = 0; pages < 10; ++pages) {
    JsonWriter json;
    register_.write_devices(json, "", after);
    EXPECT_LT(json.bytes(), FleetRegister::kPageBytes + 1024);
    const auto page = Json::parse(std::move(json).take());
    ASSERT_TRUE(page);
    const auto rows = page->elements();
    seen += rows.size();
    if (rows.empty()) break;
    after = text(rows.back(), "device");
  }
  EXPECT_EQ(seen, 2000U);
}

TEST_F(FleetRegisterTest, PresenceThatIsNoneIsIgnored) {
  for (const std::string& wrong : {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{R"({"online":1})"}, std::string(2000, ' ')}) {
    EXPECT_FALSE(register_.presence("gw-1", wrong, kNow));
  }
  EXPECT_TRUE(devices().elements().empty());
}

TEST_F(FleetRegisterTest, GroupsAreLabelsByNameAndByGlob) {
  for (const char* name : {"gw-1", "gw-2", "cam-1"}) register_.heard(name, kNow);
  EXPECT_EQ(register_.label("plant", {"gw-*", "gw-1", "new-1"}, false).value(), 3);
  EXPECT_EQ(register_.label("plant", {"gw-1"}, false).value(), 0);
  EXPECT_EQ(devices("plant").elements().size(), 3U);
  EXPECT_EQ(text(devices("plant").elements()[2], "seen"), "absent") << "noted down, never heard of";
  EXPECT_EQ(register_.devices_of("plant", {}, false)->size(), 3U);
  EXPECT_EQ(register_.devices_of("", {"*-1"}, false)->size(), 3U);
  EXPECT_EQ(register_.devices_of("", {}, true)->size(), 4U);
  EXPECT_EQ(register_.label("plant", {"*"}, true).value(), 3);
  EXPECT_EQ(register_.devices_of("plant", {}, false).error().kind(), ErrorKind::NotPresent);
}

TEST_F(FleetRegisterTest, AWrongNameIsNoticed) {
  EXPECT_EQ(register_.devices_of("", {}, true).error().kind(), ErrorKind::NotPresent);
  register_.heard("gw-1", kNow);
  EXPECT_EQ(register_.devices_of("", {"gw-2"}, false).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(register_.devices_of("", {"x*"}, false).error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(register_.label("a b", {"gw-1"}, false).error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(register_.label("g", {"a b"}, false).error().kind(), ErrorKind::OutOfRange);
}

}  // namespace
}  // namespace fieldpost
