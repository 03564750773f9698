// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/identity_proof.hpp"

#include <utility>

namespace fieldpost {

IdentityProof::IdentityProof(std::unique_ptr<Link> link, std::function<void(Result<void>)> done)
    : link_{std::move(link)}, done_{std::move(done)} {}

Result<std::unique_ptr<IdentityProof>> IdentityProof::begin(EventLoop& loop, Log& log, LinkOptions options,
                                                            std::function<void(Result<void>)> done) {
  options.will.reset();  // nobody is lost when we leave
  auto link = TRY(Link::make(loop, log, std::move(options)));
  std::unique_ptr<IdentityProof> proof{new IdentityProof{std::move(link), std::move(done)}};
  proof->link_->on_change([&lent = *proof](LinkState state) { lent.look(state); });
  proof->link_->start();
  return proof;
}

void IdentityProof::look(LinkState state) {
  if (!done_ || (state != LinkState::connected && state != LinkState::waiting)) return;
  if (state == LinkState::waiting && ++failures_ < kAttemptsMax) return;
  const auto done = std::exchange(done_, nullptr);
  Result<void> result;
  if (state == LinkState::waiting) result = Error{ErrorKind::Denied, link_->status().last_error};
  link_->stop([done, result] { done(result); });
}

}  // namespace fieldpost
