// SPDX-License-Identifier: Apache-2.0
// The device's private key: made here, kept in a file that only its owner reads, never sent. What leaves the device is
// a certificate signing request (PKCS#10), which bears the public half.
#pragma once

#include <memory>
#include <string>

#include "agent/identity/identity_options.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class DeviceKey {
 public:
  /// Errors: Unavailable (the system gives no random numbers)
  /// Blocks: rsa2048: seconds on a small board; the others some milliseconds
  static Result<DeviceKey> generate(KeyKind kind);
  /// Errors: NotPresent, Io; Denied (others can read it); Malformed
  static Result<DeviceKey> read(const std::string& path);

  DeviceKey(DeviceKey&&) noexcept;
  DeviceKey& operator=(DeviceKey&&) noexcept;
  ~DeviceKey();

  /// Writes the key as PEM (SEC1 or PKCS#1), mode 0600, durably; in memory it is wiped.
  /// Errors: as replace_file_durably
  Result<void> write(const std::string& path) const;

  /// A PEM request for `subject`, signed with this key (SHA-256), with the key usage digital signature.
  /// Source: RFC 2986; names as in RFC 4514: "CN=gw-1,O=Acme"
  /// Errors: OutOfRange (the subject is no such name)
  Result<std::string> signing_request(const std::string& subject) const;

  struct Kept;  ///< of the file named after mbedtls alone
  const Kept& kept() const noexcept { return *kept_; }

 private:
  explicit DeviceKey(std::unique_ptr<Kept> kept);
  std::unique_ptr<Kept> kept_;
};

/// Whether two PEM requests ask for the same subject and key; false if one of them is no request.
bool same_request(const std::string& one, const std::string& other);

}  // namespace fieldpost
