// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/device_certificate.hpp"

#include <algorithm>

#include "platform/durable_file.hpp"

namespace fieldpost {

Result<DeviceCertificate> DeviceCertificate::read(const std::string& path) {
  constexpr std::size_t kBytesMax = 1U << 20U;
  return parse(TRY(read_file(path, kBytesMax)));
}

std::string_view to_string(CertificateAge age) noexcept {
  switch (age) {
    case CertificateAge::not_yet_valid: return "not yet valid";
    case CertificateAge::valid: return "valid";
    case CertificateAge::renewal_due: return "renewal due";
    case CertificateAge::expired: return "expired";
  }
  return "?";
}

UtcTime renewal_due(const DeviceCertificate& certificate) noexcept {
  constexpr nanoseconds kAhead = std::chrono::hours{24 * 30};
  // Not before 1970, so that "for ever" less the beginning stays within 64 bits.
  const UtcTime begin = std::max(certificate.not_before, UtcTime{});
  const nanoseconds life = std::max(certificate.not_after - begin, nanoseconds{0});
  const UtcTime two_thirds = begin + life / 3 * 2;
  return life >= 2 * kAhead ? std::min(two_thirds, certificate.not_after - kAhead) : two_thirds;
}

CertificateAge age_of(const DeviceCertificate& certificate, UtcTime now) noexcept {
  if (now < certificate.not_before) return CertificateAge::not_yet_valid;
  if (now > certificate.not_after) return CertificateAge::expired;
  return now >= renewal_due(certificate) ? CertificateAge::renewal_due : CertificateAge::valid;
}

}  // namespace fieldpost
