// SPDX-License-Identifier: Apache-2.0
// A CA and leafs made in the test's own process, with dates of the test's choosing. (pytest has
// tests/support/test_ca.py, which needs the openssl command.)
#pragma once

#include <string>

namespace fieldpost {

struct TestCertificate {
  std::string certificate;  ///< PEM
  std::string key;          ///< PEM, SEC1
};

/// What goes into one; times as X.509 writes them: "20260101000000".
struct TestCertificateRequest {
  std::string name = "CN=broker.example";
  std::string dns_name{};    ///< of the subject alternative names, if any
  bool authority = false;
  std::string not_before = "20260101000000";
  std::string not_after = "20270101000000";
};

/// Signed by `issuer`, or by itself.
TestCertificate make_test_certificate(const TestCertificateRequest& request, const TestCertificate* issuer = nullptr,
                                      const std::string& issuer_name = {});

}  // namespace fieldpost
