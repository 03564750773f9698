// SPDX-License-Identifier: Apache-2.0
// Options of the device's identity, as the configuration's [identity].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/clock.hpp"

namespace fieldpost {

enum class KeyKind : std::uint8_t { p256, p384, rsa2048 };

inline constexpr std::string_view kKeyKinds = "p256|p384|rsa2048";

constexpr std::optional<KeyKind> key_kind(std::string_view name) noexcept {
  if (name == "p256") return KeyKind::p256;
  if (name == "p384") return KeyKind::p384;
  if (name == "rsa2048") return KeyKind::rsa2048;
  return std::nullopt;
}

struct IdentityOptions {
  enum class Authority : std::uint8_t {
    none,  ///< renewed by hand: `fieldpost provision`
    mqtt,  ///< asked over the broker, topics PREFIX/DEVICE/certificate/...
  };

  Authority authority = Authority::none;
  KeyKind key = KeyKind::p256;
  std::string subject;  ///< of requests
  std::string device;   ///< name that no other device has: those of one day do not ask on one day
  /// Renew when it is so old; nothing: see renewal_due().
  std::optional<nanoseconds> renew_after;
};

}  // namespace fieldpost
