// SPDX-License-Identifier: Apache-2.0
// Proves a new identity before the old one goes: a connection to the broker with the new certificate and key, up to the
// broker's "welcome". It bears the client identifier of the device, since policies are tied to it; so an agent that is
// connected meanwhile is sent away by the broker once, and comes back.
#pragma once

#include <functional>
#include <memory>

#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"

namespace fieldpost {

class IdentityProof {
 public:
  /// Some clouds learn of a certificate by its first connection, drop that, and take the next (AWS JITP and JITR).
  static constexpr int kAttemptsMax = 4;

  /// `done` runs once on the loop: when the broker took us, or after kAttemptsMax failures with the link's pauses between them.
  /// The proof is not to be destroyed by `done` itself.
  /// Errors: as Link::make; through `done` Denied, with the sentence that the link has for it
  static Result<std::unique_ptr<IdentityProof>> begin(EventLoop& loop, Log& log, LinkOptions options,
                                                      std::function<void(Result<void>)> done);

 private:
  IdentityProof(std::unique_ptr<Link> link, std::function<void(Result<void>)> done);
  void look(LinkState state);

  std::unique_ptr<Link> link_;
  std::function<void(Result<void>)> done_;
  int failures_ = 0;
};

}  // namespace fieldpost
