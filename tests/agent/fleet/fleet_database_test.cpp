// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

class FleetDatabaseTest : public FleetFixture {};

TEST_F(FleetDatabaseTest, KeepsWhatWasCommittedAndNothingElse) {
  database_->run("INSERT INTO device(name, seen) VALUES(?, ?)", {"gw-1", 7});
  commit();
  database_->run("INSERT INTO device(name, seen) VALUES(?, ?)", {"gw-2", 8});
  open();
  auto rows = database_->ask("SELECT name, seen FROM device");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(0), "gw-1");
  EXPECT_EQ(rows.integer(1), 7);
  EXPECT_FALSE(rows.next());
}

TEST_F(FleetDatabaseTest, AnErrorSticksUntilTheCommitAndTakesTheRestWithIt) {
  database_->run("INSERT INTO device(name) VALUES('gw-1')");
  EXPECT_EQ(database_->run("INSERT INTO nonsense VALUES(1)"), 0);
  EXPECT_EQ(database_->run("INSERT INTO device(name) VALUES('gw-2')"), 0);
  EXPECT_FALSE(database_->ask("SELECT 1").next());
  const auto committed = database_->commit();
  ASSERT_FALSE(committed);
  EXPECT_NE(committed.error().sentence().find("nonsense"), std::string::npos);
  EXPECT_FALSE(database_->ask("SELECT 1 FROM device").next());
  database_->run("INSERT INTO device(name) VALUES('gw-3')");
  commit();
}

TEST_F(FleetDatabaseTest, WritesRowsAsMembers) {
  database_->run("INSERT INTO device(name, seen, version) VALUES('gw-1', 7, '{\"a\":1}')");
  JsonWriter json;
  auto rows = database_->ask("SELECT name AS deviceName, seen AS seen, online AS online, version AS [doc{}] FROM device");
  rows.write_all(json);
  EXPECT_EQ(std::move(json).take(), R"([{"deviceName":"gw-1","seen":7,"doc":{"a":1}}])");
}

TEST_F(FleetDatabaseTest, RefusesOneOfANewerVersion) {
  database_->run("PRAGMA user_version = 2");
  commit();
  database_.reset();
  const auto opened = FleetDatabase::open(directory_.file("fleet.db"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind(), ErrorKind::OutOfRange);
}

TEST_F(FleetDatabaseTest, HasOneServer) {
  const auto second = FleetDatabase::open(directory_.file("fleet.db"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
}

}  // namespace
}  // namespace fieldpost
