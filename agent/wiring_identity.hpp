// SPDX-License-Identifier: Apache-2.0
// Joins the identity to the rest: what `status` says of the certificate in use, and its renewal with the authority that
// the configuration names and with proofs over the link's own options.
#pragma once

#include <memory>
#include <optional>

#include "agent/configuration/configuration.hpp"
#include "agent/identity/identity_proof.hpp"
#include "agent/identity/identity_rotation.hpp"
#include "agent/link/http_fetch.hpp"
#include "agent/local/status_document.hpp"

namespace fieldpost {

/// How the EST server is spoken to, but for the certificate.
HttpOptions est_http_options(const Configuration& configuration);

class WiredIdentity {
 public:
  /// All lent, all outlive it.
  WiredIdentity(EventLoop& loop, Log& log, const Configuration& configuration, Link& link);

  void start();
  /// The link is left alone from now on: it is being stopped, and stays so.
  void stop();
  /// See IdentityRotation.
  /// Errors: through `done` also Unavailable (the configuration names no authority: renewed by hand)
  void renew_now(std::function<void(Result<void>)> done);
  /// The one in use.
  std::optional<DeviceCertificate> certificate() const;
  StatusDocument::Identity status() const;

  static constexpr nanoseconds kLookInterval = std::chrono::hours{1};

 private:
  /// What the configuration names, if anything.
  std::unique_ptr<SigningAuthority> authority();
  void look();
  void prove(const IdentityDirectory::Generation& generation, std::function<void(Result<void>)> done);

  EventLoop& loop_;
  Log& log_;
  const Configuration& configuration_;
  Link& link_;
  std::optional<DeviceCertificate> certificate_;  ///< in use, as of the last look
  CertificateAge told_ = CertificateAge::valid;
  /// Only where the configuration names an authority.
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<SigningAuthority> authority_;
  std::unique_ptr<IdentityRotation> rotation_;
  std::unique_ptr<IdentityProof> proof_;
  Subscription next_look_;
};

}  // namespace fieldpost
