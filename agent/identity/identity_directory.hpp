// SPDX-License-Identifier: Apache-2.0
// Where the device's identity lives: a directory of numbered generations, each a key, the request made from it and the
// certificate that came back, and one symbolic link that says which of them is in use:
//
//     identity/current -> 1
//     identity/1/key.pem  request.pem  certificate.pem
//     identity/2/key.pem  request.pem          (asked for, not yet answered)
//
// A renewal is a new generation beside the old one; the link is turned in one rename once the new one was proved, and
// only then the old one goes. So whatever instant the power goes, `current` is a whole, working identity, or there is none yet.
// Two that work on it at once (an agent and `fieldpost provision`) wait for each other, step by step.
#pragma once

#include <optional>
#include <string>

#include "agent/identity/device_certificate.hpp"
#include "agent/identity/device_key.hpp"
#include "agent/link/link.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// The identity's place below the agent's state directory.
std::string identity_directory(const std::string& state_directory);
/// The certificate in use, whether there is one or not.
std::string current_certificate_file(const std::string& directory);
/// Where the options name neither certificate nor key: the identity in use, if there is one.
void use_identity(const std::string& directory, LinkOptions& options);

class IdentityDirectory {
 public:
  struct Generation {
    unsigned number = 0;
    std::string key_file;
    std::string request_file;
    std::string certificate_file;
    bool has_certificate = false;
  };

  /// Looks at what is there; nothing is changed, and a directory that is not there has nothing in it.
  /// Errors: Io, Denied
  static Result<IdentityDirectory> open(std::string path);

  const std::string& path() const noexcept { return path_; }
  /// In use.
  const std::optional<Generation>& current() const noexcept { return current_; }
  /// What is wrong with what the link leads to, in words; then nothing is in use. Empty: nothing.
  const std::string& fault() const noexcept { return fault_; }
  /// Newer than that: asked for, or there and not yet proved.
  const std::optional<Generation>& pending() const noexcept { return pending_; }

  /// Makes a key, unless one waits for its certificate already, and writes its request. Asking again keeps the key, so
  /// that no certificate comes back for a key that is gone; `kind` then says nothing.
  /// Errors: Full (a pending one has its certificate: adopt or discard it first), Denied, Io, OutOfRange (subject)
  /// Blocks: as DeviceKey::generate
  Result<void> request(KeyKind kind, const std::string& subject);

  /// Takes over the certificate that came back: a PEM chain, leaf first.
  /// Errors: NotPresent (nothing was asked for); Malformed; Denied (another key's, expired at `now`); Io, Full
  Result<void> install(const std::string& chain_pem, UtcTime now);

  /// From now on the pending one is in use; the one before is removed.
  /// Errors: NotPresent (none has its certificate); Io
  Result<void> adopt();

  /// Forgets the pending one, its key with it.
  /// Errors: NotPresent; Io
  Result<void> discard();

 private:
  explicit IdentityDirectory(std::string path) : path_{std::move(path)} {}
  Result<void> look();
  Generation generation(unsigned number) const;
  Result<void> remove(unsigned number);

  std::string path_;
  std::optional<Generation> current_;
  std::optional<Generation> pending_;
  std::string fault_;
  unsigned next_ = 1;  ///< number of the pending one, or of the one to come
};

}  // namespace fieldpost
