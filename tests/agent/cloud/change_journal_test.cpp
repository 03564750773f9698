// SPDX-License-Identifier: Apache-2.0
// What each start makes of what the last one left.
#include "agent/cloud/change_journal.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using State = ConfigurationChange::State;

class ChangeJournalTest : public testing::Test {
 protected:
  void left(State state) {
    ChangeRecord record;
    record.change = {state, "state 7", R"({"log":{"level":"debug"}})", "", "why \"it\" was so"};
    record.confirmed = R"({"log":{"level":"warn"}})";
    record.alive = {"cpu", "load"};
    ASSERT_TRUE(journal_.keep(record));
  }

  TemporaryDirectory directory_;
  ChangeJournal journal_{directory_.path() + "/remote_configuration.json"};
};

TEST_F(ChangeJournalTest, WithoutAFileNothingWasAsked) {
  const auto record = journal_.begin();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->change.state, State::none);
  EXPECT_EQ(record->change.running, "{}");
}

TEST_F(ChangeJournalTest, AnArmedChangeIsTriedOnce) {
  left(State::armed);
  const auto first = journal_.begin();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->change.state, State::trial);
  EXPECT_EQ(first->change.running, R"({"log":{"level":"debug"}})");
  EXPECT_EQ(first->alive, (std::vector<std::string>{"cpu", "load"}));
  // As after a crash during the trial.
  const auto second = journal_.begin();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->change.state, State::put_back);
  EXPECT_EQ(second->change.running, R"({"log":{"level":"warn"}})");
  EXPECT_EQ(second->change.id, "state 7");
  EXPECT_TRUE(second->change.cause.starts_with("the agent ended before it was confirmed"));
  const auto third = journal_.begin();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->change.state, State::put_back) << "and stays so";
}

TEST_F(ChangeJournalTest, WhatIsSettledStaysAsItIs) {
  for (const State state : {State::confirmed, State::refused, State::put_back}) {
    left(state);
    const auto record = journal_.begin();
    ASSERT_TRUE(record);
    EXPECT_EQ(record->change.state, state);
    EXPECT_EQ(record->change.running, R"({"log":{"level":"warn"}})");
    EXPECT_EQ(record->change.asked, R"({"log":{"level":"debug"}})");
    EXPECT_EQ(record->change.cause, "why \"it\" was so");
  }
}

TEST_F(ChangeJournalTest, ATrialThatCannotBeWrittenDownIsNotTried) {
  left(State::armed);
  // "<path>.new" is a directory: the file can be read, and no other put in its place, whoever we are.
  ASSERT_EQ(::mkdir((journal_.path() + ".new").c_str(), 0700), 0);
  const auto record = journal_.begin();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->change.state, State::put_back);
  EXPECT_EQ(record->change.running, R"({"log":{"level":"warn"}})");
  EXPECT_TRUE(record->change.cause.starts_with("not tried"));
}

TEST_F(ChangeJournalTest, AFileOfNoSenseIsToldAsOne) {
  for (const char* text : {"", "{", "[]", "{\"state\":\"new\",\"id\":\"\",\"asked\":\"\",\"confirmed\":\"\"}", "{\"state\":\"trial\"}",
                           R"({"state":"refused","id":"","asked":"","confirmed":"x"})", R"({"state":"armed","id":"","asked":"[]","confirmed":"{}"})"}) {
    std::ofstream{journal_.path()} << text;
    EXPECT_FALSE(journal_.begin()) << text;
  }
}

}  // namespace
}  // namespace fieldpost
