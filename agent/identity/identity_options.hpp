// SPDX-License-Identifier: Apache-2.0
// Options of the device's identity, as the configuration's [identity].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

enum class KeyKind : std::uint8_t { p256, p384, rsa2048 };

inline constexpr std::string_view kKeyKinds = "p256|p384|rsa2048";

constexpr std::optional<KeyKind> key_kind(std::string_view name) noexcept {
  if (name == "p256") return KeyKind::p256;
  if (name == "p384") return KeyKind::p384;
  if (name == "rsa2048") return KeyKind::rsa2048;
  return std::nullopt;
}

/// What an AWS provisioning template asks for.
using TemplateParameters = std::vector<std::pair<std::string, std::string>>;

/// "SerialNumber=123,Model=B".
/// Errors: Malformed
Result<TemplateParameters> template_parameters(std::string_view list);

/// Errors: OutOfRange (no URL of an HTTPS server)
Result<void> check_est_url(std::string_view url);

inline constexpr std::string_view kAuthorities = "none|mqtt|aws|est";

/// What AWS IoT signs is valid to 2049: two thirds of that is no renewal.
inline constexpr nanoseconds kAwsRenewAfter = std::chrono::hours{24 * 365};

struct IdentityOptions {
  enum class Authority : std::uint8_t {
    none,  ///< renewed by hand: `fieldpost provision`
    mqtt,  ///< asked over the broker, topics PREFIX/DEVICE/certificate/...
    aws,   ///< AWS IoT: signed and registered through a provisioning template, over the device's own connection
    est,   ///< an EST server
  };

  Authority authority = Authority::none;
  KeyKind key = KeyKind::p256;
  std::string subject;  ///< of requests
  std::string device;   ///< name that no other device has: those of one day do not ask on one day
  /// Renew when it is so old at the latest; nothing: see renewal_due().
  std::optional<nanoseconds> renew_after;
  std::string est_url;
  std::string est_ca_file;     ///< empty: as the broker's
  std::string aws_template;
  TemplateParameters aws_parameters;
};

}  // namespace fieldpost
