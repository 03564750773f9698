// SPDX-License-Identifier: Apache-2.0
// Sentences for the ways in which two TLS peers refuse each other. Pure: facts in, sentence out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// What is wrong with the broker's certificate; the first that applies is told.
enum class CertificateFault : std::uint8_t {
  unknown_authority,
  revoked,
  expired,
  not_yet_valid,
  wrong_name,
  list_untrusted,
  list_expired,
  list_not_yet_valid,
  weak,
  wrong_usage,
  other,
};

struct RefusedCertificate {
  CertificateFault fault = CertificateFault::other;
  std::string peer;                 ///< "broker.example:8883"
  std::string expected_name;
  std::vector<std::string> names;   ///< that the certificate bears
  std::string subject;              ///< of the certificate at fault
  std::string issuer;
  bool is_authority = false;        ///< it is not the broker's own but one above it
  UtcTime not_before{};
  UtcTime not_after{};
  UtcReading clock{};
  std::string ca_path;
  std::string crl_path;
  std::string detail;               ///< of `other`
};

Error explain(const RefusedCertificate& refused);

struct AlertContext {
  std::string peer;
  bool own_certificate = false;     ///< we have one to show
  UtcTime own_not_after{};
  UtcReading clock{};
  std::string server_name;
  std::string alpn;                 ///< what we asked for, comma-separated
  std::string versions;             ///< "TLS 1.2 to 1.3"
};

/// A fatal alert that the peer sent (RFC 8446 section 6).
Error explain_alert(unsigned alert, const AlertContext& context);

}  // namespace fieldpost
