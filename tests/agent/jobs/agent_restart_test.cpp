// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct AgentRestartTest : OperationWorld {};

TEST_F(AgentRestartTest, IsRecordedThenDoneAndTrueInTheNextAgent) {
  make(&make_agent_restart);
  operation->begin(*this, {});
  EXPECT_EQ(saved, std::vector<int>{1});
  EXPECT_EQ(restarts, 1);
  EXPECT_FALSE(ended);
  make(&make_agent_restart);
  operation->begin(*this, {1, "", clock.boot_id()});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(restarts, 1);
}

TEST_F(AgentRestartTest, DoesNothingThatIsNotRecorded) {
  disk_ok = false;
  make(&make_agent_restart);
  operation->begin(*this, {});
  EXPECT_EQ(restarts, 0);
}

TEST_F(AgentRestartTest, FailsWhenTheAgentGoesOnAsItWas) {
  make(&make_agent_restart);
  operation->begin(*this, {});
  loop.advance(std::chrono::minutes{1});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
}

TEST_F(AgentRestartTest, CanBeTakenBack) {
  make(&make_agent_restart);
  operation->begin(*this, {});
  operation->stop();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace fieldpost
