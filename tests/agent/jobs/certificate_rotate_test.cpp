// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/jobs/operation_world.hpp"

namespace fieldpost {
namespace {

struct CertificateRotateTest : OperationWorld {
  void SetUp() override {
    around.renew = [this](std::function<void(Result<void>)> done) { renewed = std::move(done); };
    around.certificate_serial = [this] { return serial; };
    make(&make_certificate_rotate);
  }
  std::string serial = "01";
  std::function<void(Result<void>)> renewed;
};

TEST_F(CertificateRotateTest, SucceedsOnceTheNewOneIsInUse) {
  operation->begin(*this, {});
  EXPECT_EQ(saved, std::vector<int>{1});
  ASSERT_TRUE(renewed);
  EXPECT_FALSE(ended);
  serial = "02";
  renewed({});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_EQ(detail("reason"), "in use: 02");
}

TEST_F(CertificateRotateTest, FailsWithTheAuthoritysWords) {
  operation->begin(*this, {});
  renewed(Error{ErrorKind::Denied, "the authority refuses: unknown device"});
  EXPECT_EQ(ended->status, JobStatus::failed);
  EXPECT_EQ(detail("reason"), "the authority refuses: unknown device");
}

TEST_F(CertificateRotateTest, CutOffItSeesByTheSerialWhetherItWasDone) {
  serial = "02";
  operation->begin(*this, {1, "01", "boot"});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::succeeded);
  EXPECT_FALSE(renewed);
  ended.reset();
  make(&make_certificate_rotate);
  operation->begin(*this, {1, "02", "boot"});
  EXPECT_FALSE(ended);
  EXPECT_TRUE(renewed);
}

TEST_F(CertificateRotateTest, AnAnswerAfterTheEndChangesNothing) {
  operation->begin(*this, {});
  loop.advance(std::chrono::hours{24});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, JobStatus::failed);
  operation.reset();
  ended.reset();
  renewed({});
  EXPECT_FALSE(ended);
}

}  // namespace
}  // namespace fieldpost
