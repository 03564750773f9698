// SPDX-License-Identifier: Apache-2.0
// zstd at level 1: on columns level 3 gained nothing and cost three times as much (README.md).
#include <zstd.h>

#include "agent/store/compression.hpp"

namespace fieldpost {
namespace {

constexpr int kLevel = 1;

}  // namespace

std::optional<std::vector<std::byte>> compress(std::span<const std::byte> bytes) {
  std::vector<std::byte> compressed(ZSTD_compressBound(bytes.size()));
  const std::size_t size =
      ZSTD_compress(compressed.data(), compressed.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) != 0 || size >= bytes.size()) return std::nullopt;
  compressed.resize(size);
  return compressed;
}

Result<std::vector<std::byte>> decompress(std::span<const std::byte> bytes, std::size_t size) {
  std::vector<std::byte> plain(size);
  const std::size_t found = ZSTD_decompress(plain.data(), plain.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(found) != 0) {
    return Error{ErrorKind::Malformed, std::string{"zstd: "} + ZSTD_getErrorName(found)};
  }
  if (found != size) return Error{ErrorKind::Malformed, "zstd: shorter than its header says"};
  return plain;
}

}  // namespace fieldpost
