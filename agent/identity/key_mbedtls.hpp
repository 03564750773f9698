// SPDX-License-Identifier: Apache-2.0
// What a DeviceKey holds, for the files here that are named after mbedTLS. Nobody else may include it.
#pragma once

#include <mbedtls/pk.h>

#include "agent/identity/device_key.hpp"

namespace fieldpost {

struct DeviceKey::Kept {
  Kept() { mbedtls_pk_init(&key); }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() { mbedtls_pk_free(&key); }

  /// Mutable because mbedTLS wants what it signs with so; nothing of it changes.
  mutable mbedtls_pk_context key{};
};

}  // namespace fieldpost
