// SPDX-License-Identifier: Apache-2.0
// The TLS side of the link's options, loaded and checked once: authorities, revocation lists, our
// own chain and key, versions and ALPN; and the session that the broker last gave us, so that a
// reconnect costs one round trip and no signature.
#pragma once

#include <memory>
#include <string>

#include "agent/link/link.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class TlsSettings {
 public:
  /// Errors: NotPresent, Denied, Malformed, OutOfRange; the sentence begins with the option's name
  /// Blocks: reads small files; some milliseconds for a bundle of authorities
  static Result<std::unique_ptr<TlsSettings>> load(const LinkOptions& options);
  ~TlsSettings();
  TlsSettings(const TlsSettings&) = delete;
  TlsSettings& operator=(const TlsSettings&) = delete;

  /// True when one of the files has been replaced since load().
  bool changed_on_disk() const;
  /// The next handshake will be a full one.
  void forget_session();

  struct Loaded;  ///< of the files named after mbedtls alone
  Loaded& loaded() noexcept { return *loaded_; }

 private:
  explicit TlsSettings(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace fieldpost
