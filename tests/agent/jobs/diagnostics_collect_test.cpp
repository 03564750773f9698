// SPDX-License-Identifier: Apache-2.0
// With a broker and the real compressor: tests/end_to_end/test_jobs.py.
#include "tests/agent/cloud/listening_link.hpp"
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct DiagnosticsCollectTest : OperationWorld {
  void SetUp() override {
    around.link = &link;
    around.diagnostics_topic = "fieldpost/gw-1/diagnostics";
    around.status = [this] { return status; };
    around.compress = [](std::string_view) { return std::optional<std::string>{}; };
    directory.write("gw.toml", "[broker]\nproxy = \"http://me:hidden-1@proxy:3128\"\nkey_password_file = \"/etc/key\"\n"
                               "[source.x]\ncommunity = \"hidden-2\"\nsnmp_password = \"hidden-3\"");
    around.configuration_files = {directory.file("gw.toml"), "FIELDPOST_LOG_LEVEL"};
    make(&make_diagnostics_collect);
  }
  std::string whole() const {
    std::string bytes;
    for (const Link::Message& message : link.published) bytes += message.payload;
    return bytes;
  }
  ListeningLink link;
  std::string status = R"({"device":"gw-1"})";
};

TEST_F(DiagnosticsCollectTest, SendsStatusConfigurationAndHost) {
  operation->begin(*this, {});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(link.published[0].topic, "fieldpost/gw-1/diagnostics/job-1/0");
  EXPECT_NE(whole().find(status), std::string::npos);
  EXPECT_NE(whole().find("host/proc/meminfo"), std::string::npos);
  EXPECT_EQ(detail("parts"), std::to_string(link.published.size()));
  EXPECT_EQ(detail("bytes"), std::to_string(whole().size()));
  EXPECT_EQ(detail("format"), "tar");
}

TEST_F(DiagnosticsCollectTest, LeavesSecretsOut) {
  operation->begin(*this, {});
  EXPECT_EQ(whole().find("hidden-"), std::string::npos);
  EXPECT_NE(whole().find("http://(removed)@proxy:3128"), std::string::npos);
  EXPECT_NE(whole().find("key_password_file = \"/etc/key\""), std::string::npos);
  EXPECT_NE(whole().find("community = \"(removed)\""), std::string::npos);
}

TEST_F(DiagnosticsCollectTest, GoesInPartsThatACloudTakes) {
  status.assign(300'000, 's');
  operation->begin(*this, {});
  EXPECT_GE(link.published.size(), 4U);
  for (const Link::Message& message : link.published) EXPECT_LE(message.payload.size(), 96U << 10U);
}

TEST_F(DiagnosticsCollectTest, IsBounded) {
  status.assign(10'000'000, 's');
  operation->begin(*this, {});
  ASSERT_TRUE(ended);
  EXPECT_LE(whole().size(), 16U * (96U << 10U));
}

TEST_F(DiagnosticsCollectTest, KeepsTheBudget) {
  budget = 100;
  operation->begin(*this, {});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_TRUE(link.published.empty());
}

TEST_F(DiagnosticsCollectTest, GoesOnWhereTheConnectionWasLost) {
  link.up = false;
  operation->begin(*this, {});
  loop.advance(std::chrono::minutes{1});
  EXPECT_FALSE(ended);
  link.up = true;
  loop.advance(seconds{5});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
}

}  // namespace
}  // namespace fieldpost
