// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/identity_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "platform/durable_file.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

const UtcTime kNow = *from_rfc3339("2026-06-01T00:00:00Z");

struct IdentityDirectoryTest : testing::Test {
  IdentityDirectory look() {
    auto opened = IdentityDirectory::open(place);
    EXPECT_TRUE(opened) << opened.error().sentence();
    return std::move(*opened);
  }
  /// The certificate that a CA would give for the key that waits: here key and certificate are changed together.
  std::string answer(const IdentityDirectory& identity, TestCertificateRequest wanted = {.name = "CN=gw-1"}) {
    const TestCertificate made = make_test_certificate(wanted);
    EXPECT_TRUE(replace_file_durably(identity.pending()->key_file, made.key, 0600));
    return made.certificate;
  }
  void take_into_use() {
    IdentityDirectory identity = look();
    ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
    ASSERT_TRUE(identity.install(answer(identity), kNow));
    ASSERT_TRUE(identity.adopt());
  }
  std::string key_text(unsigned generation) { return *read_file(place + "/" + std::to_string(generation) + "/key.pem", 4096); }

  TemporaryDirectory directory;
  std::string place = directory.file("identity");
};

TEST_F(IdentityDirectoryTest, IsEmptyWhereThereIsNone) {
  const IdentityDirectory identity = look();
  EXPECT_FALSE(identity.current());
  EXPECT_FALSE(identity.pending());
  EXPECT_FALSE(std::filesystem::exists(place));
}

TEST_F(IdentityDirectoryTest, ARequestMakesAKeyForItsOwnerOnly) {
  IdentityDirectory identity = look();
  const auto made = identity.request(KeyKind::p256, "CN=gw-1");
  ASSERT_TRUE(made) << made.error().sentence();
  for (const auto& [path, mode] : {std::pair{place, 0700U}, {place + "/1", 0700U}, {place + "/1/key.pem", 0600U}}) {
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0) << path;
    EXPECT_EQ(about.st_mode & 0777U, mode) << path;
  }
  ASSERT_TRUE(look().pending());
  EXPECT_FALSE(look().pending()->has_certificate);
  EXPECT_FALSE(look().current());
}

TEST_F(IdentityDirectoryTest, AskingAgainKeepsTheKey) {
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=gw-1"));
  const std::string before = key_text(1);
  IdentityDirectory again = look();
  ASSERT_TRUE(again.request(KeyKind::p384, "CN=other"));
  EXPECT_EQ(key_text(1), before);
}

TEST_F(IdentityDirectoryTest, ACertificateIsTakenForItsOwnKeyOnly) {
  IdentityDirectory identity = look();
  EXPECT_EQ(identity.install(make_test_certificate({}).certificate, kNow).error().kind(), ErrorKind::NotPresent);
  ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
  EXPECT_EQ(identity.install(make_test_certificate({}).certificate, kNow).error().kind(), ErrorKind::Denied);
  EXPECT_EQ(identity.install("no", kNow).error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(identity.install(std::string(70'000, 'x'), kNow).error().kind(), ErrorKind::Malformed);
  EXPECT_FALSE(look().pending()->has_certificate);
  EXPECT_EQ(identity.adopt().error().kind(), ErrorKind::NotPresent);
  ASSERT_TRUE(identity.install(answer(identity), kNow));
  EXPECT_TRUE(look().pending()->has_certificate);
}

TEST_F(IdentityDirectoryTest, AnExpiredOneIsRefusedAndOneNotYetValidIsNot) {
  IdentityDirectory identity = look();
  ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
  const std::string old = answer(identity, {.name = "CN=gw-1", .not_before = "20250101000000", .not_after = "20260101000000"});
  EXPECT_EQ(identity.install(old, kNow).error().kind(), ErrorKind::Denied);
  EXPECT_TRUE(identity.install(answer(identity, {.name = "CN=gw-1", .not_before = "20270101000000", .not_after = "20280101000000"}), kNow));
}

TEST_F(IdentityDirectoryTest, ARenewalLeavesTheOldOneInUseUntilItIsAdopted) {
  take_into_use();
  ASSERT_EQ(look().current()->number, 1U);
  IdentityDirectory identity = look();
  ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
  ASSERT_TRUE(identity.install(answer(identity), kNow));
  EXPECT_EQ(look().current()->number, 1U);
  EXPECT_EQ(look().pending()->number, 2U);
  // No key is thrown away that has a certificate by now.
  EXPECT_EQ(identity.request(KeyKind::p256, "CN=gw-1").error().kind(), ErrorKind::Full);
  ASSERT_TRUE(identity.adopt());
  EXPECT_EQ(look().current()->number, 2U);
  EXPECT_FALSE(look().pending());
  EXPECT_FALSE(std::filesystem::exists(place + "/1"));
}

TEST_F(IdentityDirectoryTest, WhatIsDiscardedIsGoneAndWhatIsInUseStays) {
  take_into_use();
  const std::string key = key_text(1);
  IdentityDirectory identity = look();
  EXPECT_EQ(identity.discard().error().kind(), ErrorKind::NotPresent);
  ASSERT_TRUE(identity.request(KeyKind::p256, "CN=gw-1"));
  ASSERT_TRUE(replace_file_durably(place + "/2/key.pem.new", "cut off", 0600));
  ASSERT_TRUE(identity.discard());
  EXPECT_FALSE(std::filesystem::exists(place + "/2"));
  EXPECT_FALSE(look().pending());
  EXPECT_EQ(key_text(look().current()->number), key);
}

TEST_F(IdentityDirectoryTest, AGenerationWhoseKeyWasNeverWrittenIsNone) {
  std::filesystem::create_directories(place + "/1");
  EXPECT_FALSE(look().pending());
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=gw-1"));
  EXPECT_EQ(look().pending()->number, 1U);
}

TEST_F(IdentityDirectoryTest, ABrokenIdentityIsSaidAndANewOneCanBeMade) {
  take_into_use();
  std::filesystem::remove(place + "/1/certificate.pem");
  EXPECT_FALSE(look().current());
  EXPECT_NE(look().fault().find("without a key or a certificate"), std::string::npos);
  take_into_use();
  EXPECT_EQ(look().current()->number, 2U);
  EXPECT_EQ(look().fault(), "");
  EXPECT_FALSE(std::filesystem::exists(place + "/1"));
}

TEST_F(IdentityDirectoryTest, ALinkThatLeadsNowhereIsSaidAndWhatIsWholeCanBeUsedAgain) {
  take_into_use();
  std::filesystem::remove(place + "/current");
  std::filesystem::create_symlink("../elsewhere", place + "/current");
  IdentityDirectory identity = look();
  EXPECT_NE(identity.fault().find("leads to no generation"), std::string::npos);
  EXPECT_EQ(identity.pending()->number, 1U);
  ASSERT_TRUE(identity.adopt());
  EXPECT_EQ(look().current()->number, 1U);
  EXPECT_EQ(look().fault(), "");
}

TEST_F(IdentityDirectoryTest, AskingAgainForTheSameKeepsTheText) {
  ASSERT_TRUE(look().request(KeyKind::rsa2048, "CN=gw-1"));
  const std::string path = place + "/1/request.pem";
  const std::string before = *read_file(path, 8192);
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=gw-1"));
  EXPECT_EQ(*read_file(path, 8192), before);
  ASSERT_TRUE(look().request(KeyKind::p256, "CN=other"));
  EXPECT_NE(*read_file(path, 8192), before);
}

TEST_F(IdentityDirectoryTest, TwoAtOnceSeeEachOthersWork) {
  IdentityDirectory one = look();
  IdentityDirectory other = look();
  ASSERT_TRUE(one.request(KeyKind::p256, "CN=gw-1"));
  const std::string key = key_text(1);
  ASSERT_TRUE(other.request(KeyKind::p256, "CN=gw-1"));
  EXPECT_EQ(key_text(1), key);
  ASSERT_TRUE(one.discard());
  EXPECT_EQ(other.install(make_test_certificate({}).certificate, kNow).error().kind(), ErrorKind::NotPresent);
}

TEST_F(IdentityDirectoryTest, IsUsedWhereTheOptionsNameNoCertificate) {
  LinkOptions options;
  use_identity(place, options);
  EXPECT_EQ(options.certificate_file, "");
  take_into_use();
  use_identity(place, options);
  EXPECT_EQ(options.certificate_file, place + "/current/certificate.pem");
  EXPECT_EQ(options.key_file, place + "/current/key.pem");
  EXPECT_TRUE(DeviceKey::read(options.key_file));
  LinkOptions named;
  named.certificate_file = "mine.pem";
  use_identity(place, named);
  EXPECT_EQ(named.certificate_file, "mine.pem");
  EXPECT_EQ(named.key_file, "");
}

}  // namespace
}  // namespace fieldpost
