// SPDX-License-Identifier: Apache-2.0
// The device's certificate as the identity needs it: whose it is, until when it is valid, and whether it belongs to a key.
#pragma once

#include <cstdint>
#include <string>

#include "agent/identity/device_key.hpp"
#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct DeviceCertificate {
  std::string subject;  ///< "CN=gw-1, O=Acme"
  std::string issuer;
  std::string serial;   ///< "0a:1b:2c"
  UtcTime not_before;
  UtcTime not_after;    ///< the latest instant there is, for years after 2261

  /// Of a PEM chain, leaf first.
  /// Errors: Malformed (no certificate, or a part that is none)
  static Result<DeviceCertificate> parse(const std::string& chain_pem);
  /// Of a file.
  /// Errors: as parse() and read_file()
  static Result<DeviceCertificate> read(const std::string& path);
};

/// Whether the first certificate of the chain may stand for a device with this key.
/// Errors: Malformed (no chain); Denied (another key's; an authority's; not for clients)
Result<void> check_belongs(const std::string& chain_pem, const DeviceKey& key);

enum class CertificateAge : std::uint8_t { not_yet_valid, valid, renewal_due, expired };
std::string_view to_string(CertificateAge age) noexcept;

/// After two thirds of its life; 30 days before its end if that is earlier and leaves it 30 days.
UtcTime renewal_due(const DeviceCertificate& certificate) noexcept;
CertificateAge age_of(const DeviceCertificate& certificate, UtcTime now) noexcept;

}  // namespace fieldpost
