// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/device_certificate.hpp"

#include <gtest/gtest.h>

#include "platform/durable_file.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

DeviceKey key_of(const TestCertificate& made) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(replace_file_durably(directory.file("key"), made.key, 0600));
  auto key = DeviceKey::read(directory.file("key"));
  EXPECT_TRUE(key);
  return std::move(*key);
}

TEST(DeviceCertificate, IsReadFromTheFirstOfAChain) {
  const TestCertificate authority = make_test_certificate({.name = "CN=Acme CA", .authority = true});
  const TestCertificate device = make_test_certificate(
      {.name = "CN=gw-1", .not_before = "20260203040506", .not_after = "20270203040506"}, &authority, "CN=Acme CA");
  const auto certificate = DeviceCertificate::parse(device.certificate + authority.certificate);
  ASSERT_TRUE(certificate) << certificate.error().sentence();
  EXPECT_EQ(certificate->subject, "CN=gw-1");
  EXPECT_EQ(certificate->issuer, "CN=Acme CA");
  EXPECT_EQ(to_rfc3339(certificate->not_before), "2026-02-03T04:05:06.000Z");
  EXPECT_EQ(to_rfc3339(certificate->not_after), "2027-02-03T04:05:06.000Z");
  EXPECT_EQ(certificate->serial.size(), 23U);  // eight bytes, colons between
}

TEST(DeviceCertificate, OfWhatIsNoneIsMalformed) {
  const TestCertificate one = make_test_certificate({});
  for (const std::string& text : {std::string{}, std::string{"hello"}, one.key, one.certificate.substr(0, 200),
                                  one.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    const auto certificate = DeviceCertificate::parse(text);
    ASSERT_FALSE(certificate) << text;
    EXPECT_EQ(certificate.error().kind(), ErrorKind::Malformed);
  }
}

TEST(DeviceCertificate, IsReadFromAFile) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(replace_file_durably(directory.file("device.pem"), make_test_certificate({.name = "CN=gw-1"}).certificate));
  EXPECT_EQ(DeviceCertificate::read(directory.file("device.pem"))->subject, "CN=gw-1");
  EXPECT_EQ(DeviceCertificate::read(directory.file("none.pem")).error().kind(), ErrorKind::NotPresent);
  EXPECT_FALSE(DeviceCertificate::read(""));
}

TEST(DeviceCertificate, BelongsToItsOwnKeyOnly) {
  const TestCertificate one = make_test_certificate({.name = "CN=gw-1"});
  const TestCertificate other = make_test_certificate({.name = "CN=gw-1"});
  EXPECT_TRUE(check_belongs(one.certificate, key_of(one)));
  EXPECT_EQ(check_belongs(one.certificate, key_of(other)).error().kind(), ErrorKind::Denied);
  // Its own must come first.
  EXPECT_FALSE(check_belongs(other.certificate + one.certificate, key_of(one)));
}

TEST(DeviceCertificate, OfAnAuthorityIsNoDevices) {
  const TestCertificate authority = make_test_certificate({.authority = true});
  const auto belongs = check_belongs(authority.certificate, key_of(authority));
  ASSERT_FALSE(belongs);
  EXPECT_NE(belongs.error().sentence().find("authority"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
