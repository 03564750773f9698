// SPDX-License-Identifier: Apache-2.0
#include "agent/link/tls_refusal.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

RefusedCertificate refused(CertificateFault fault) {
  RefusedCertificate certificate;
  certificate.fault = fault;
  certificate.peer = "b:8883";
  certificate.expected_name = "b";
  certificate.subject = "CN=x";
  certificate.issuer = "CN=y";
  certificate.ca_path = "/ca.pem";
  certificate.crl_path = "/crl.pem";
  certificate.not_before = UtcTime{seconds{1'800'000'000}};
  certificate.not_after = UtcTime{seconds{1'700'000'000}};
  certificate.clock = {UtcTime{seconds{60}}, false, {}};
  return certificate;
}

TEST(TlsRefusal, TellsNotYetValidApartFromExpiredWhenTheClockIsNotTrusted) {
  EXPECT_EQ(explain(refused(CertificateFault::not_yet_valid)).sentence(),
            "the certificate of b:8883 is not valid before 2027-01-15T08:00:00Z (this device's clock says 1970-01-01T00:01:00Z and "
            "is not synchronised); set the clock, or let NTP set it");
  EXPECT_EQ(explain(refused(CertificateFault::expired)).sentence(),
            "the certificate of b:8883 expired at 2023-11-14T22:13:20Z (this device's clock says 1970-01-01T00:01:00Z and is not "
            "synchronised); renew it");
}

TEST(TlsRefusal, NamesTheAuthorityAtFault) {
  auto above = refused(CertificateFault::expired);
  above.is_authority = true;
  EXPECT_EQ(explain(above).sentence().rfind("the CA certificate 'CN=x' above b:8883 expired at", 0), 0U);
}

TEST(TlsRefusal, ShowsAFewNamesOfManyAndSaysWhenThereIsNone) {
  auto wrong = refused(CertificateFault::wrong_name);
  EXPECT_NE(explain(wrong).sentence().find("is for no name at all and not for 'b'"), std::string::npos);
  wrong.names = {"'1'", "'2'", "'3'", "'4'", "'5'", "'6'"};
  EXPECT_NE(explain(wrong).sentence().find("'1', '2', '3', '4', '5', ... and"), std::string::npos);
}

TEST(TlsRefusal, EveryFaultAndEveryAlertHasASentence) {
  for (auto fault = 0; fault <= static_cast<int>(CertificateFault::other); ++fault) {
    const auto error = explain(refused(static_cast<CertificateFault>(fault)));
    EXPECT_EQ(error.kind(), ErrorKind::Denied);
    EXPECT_NE(error.sentence().find(fault <= 4 || fault >= 8 ? "b:8883" : "/crl.pem"), std::string::npos) << error.sentence();
  }
  for (unsigned alert = 0; alert < 256; ++alert) {
    for (const bool own : {false, true}) {
      AlertContext context;
      context.peer = "b:8883";
      context.own_certificate = own;
      const auto sentence = explain_alert(alert, context).sentence();
      EXPECT_NE(sentence.find("b:8883"), std::string::npos);
      EXPECT_NE(sentence.find("TLS alert: "), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace fieldpost
