// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/device_certificate.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

constexpr nanoseconds kDay = std::chrono::hours{24};
constexpr UtcTime kBegin = UtcTime{} + 20'000 * kDay;

DeviceCertificate between(UtcTime begin, UtcTime end) {
  DeviceCertificate certificate;
  certificate.not_before = begin;
  certificate.not_after = end;
  return certificate;
}

DeviceCertificate lasting(nanoseconds life) { return between(kBegin, kBegin + life); }

TEST(CertificateAge, TellsNotYetValidFromExpired) {
  const DeviceCertificate year = lasting(365 * kDay);
  EXPECT_EQ(age_of(year, kBegin - nanoseconds{1}), CertificateAge::not_yet_valid);
  EXPECT_EQ(age_of(year, kBegin), CertificateAge::valid);
  EXPECT_EQ(age_of(year, kBegin + 365 * kDay), CertificateAge::renewal_due);
  EXPECT_EQ(age_of(year, kBegin + 365 * kDay + nanoseconds{1}), CertificateAge::expired);
}

TEST(CertificateAge, RenewalIsDueAfterTwoThirds) {
  EXPECT_EQ(renewal_due(lasting(300 * kDay)), kBegin + 200 * kDay);
  EXPECT_EQ(renewal_due(lasting(3 * kDay)), kBegin + 2 * kDay);
}

TEST(CertificateAge, RenewalIsDueThirtyDaysAheadWhereThatIsEarlier) {
  EXPECT_EQ(renewal_due(lasting(66 * kDay)), kBegin + 36 * kDay);
  // A life of less than twice that would be spent renewing.
  EXPECT_EQ(renewal_due(lasting(60 * kDay)), kBegin + 30 * kDay);
  EXPECT_EQ(renewal_due(lasting(57 * kDay)), kBegin + 38 * kDay);
}

TEST(CertificateAge, ForEverAndBackwardsAreNoTrap) {
  const DeviceCertificate for_ever = between(UtcTime{} - 7'000 * kDay, UtcTime::max());
  EXPECT_GT(renewal_due(for_ever), kBegin);
  EXPECT_EQ(age_of(for_ever, kBegin), CertificateAge::valid);
  EXPECT_EQ(age_of(lasting(-kDay), kBegin), CertificateAge::expired);
}

TEST(CertificateAge, HasAWordForEach) {
  EXPECT_EQ(to_string(CertificateAge::not_yet_valid), "not yet valid");
  EXPECT_EQ(to_string(CertificateAge::renewal_due), "renewal due");
}

}  // namespace
}  // namespace fieldpost
