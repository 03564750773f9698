// SPDX-License-Identifier: Apache-2.0
// Reads the small files that keys and certificates come in, and refuses a private key that others
// than its owner can read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

/// The contents of a key or certificate file; wiped when it goes.
class CredentialFile {
 public:
  enum class Kind : std::uint8_t { open_to_all, secret };

  /// `option` names the setting in messages ("key_file").
  /// Errors: NotPresent, Io, Denied   the file cannot be read
  ///         Denied                   a secret that others may read, or its group unless root owns it
  ///         Malformed                empty, or over kBytesMax
  static Result<CredentialFile> read(std::string_view option, const std::string& path, Kind kind);

  CredentialFile(CredentialFile&&) noexcept = default;
  CredentialFile& operator=(CredentialFile&&) noexcept = default;
  CredentialFile(const CredentialFile&) = delete;
  CredentialFile& operator=(const CredentialFile&) = delete;
  ~CredentialFile();

  const unsigned char* bytes() const noexcept { return reinterpret_cast<const unsigned char*>(text_.c_str()); }
  /// As mbedTLS wants it: PEM counts its final NUL, DER has none.
  std::size_t size_for_parser() const noexcept;

  static constexpr std::size_t kBytesMax = 4U << 20U;

 private:
  explicit CredentialFile(std::string text) : text_{std::move(text)} {}
  std::string text_;
};

/// What tells that a file was replaced: device, inode, size and modification time in one line;
/// empty when it is not there.
std::string file_stamp(const std::string& path);

}  // namespace fieldpost
