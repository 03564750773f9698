// SPDX-License-Identifier: Apache-2.0
// Who signs what a device asks for, as its identity sees it; each cloud has its own way (agent/cloud).
#pragma once

#include <functional>
#include <string>

#include "agent/identity/device_certificate.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class SigningAuthority {
 public:
  /// PEM chain, the device's own first; or Denied, with the authority's words: it will not sign that.
  using Answer = std::function<void(Result<std::string> chain_pem)>;

  virtual ~SigningAuthority() = default;

  /// Asks for a certificate; `answer` runs on the loop, whenever one comes: perhaps after days, or never, or more than once,
  /// where not only the authority can answer. Asking again with the same request is harmless.
  /// Errors: Unavailable (it cannot be reached now)
  virtual Result<void> ask(const std::string& request_pem, Answer answer) = 0;

  /// Says which certificate is in use, so that the one before may be revoked. `done` runs once, on the loop or at once.
  /// Errors: Unavailable, Io (not heard: say it again later)
  virtual void tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) = 0;
};

}  // namespace fieldpost
