// SPDX-License-Identifier: Apache-2.0
// The general compressor behind the columns.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "platform/result.hpp"

namespace fieldpost {

/// The bytes compressed; nothing when that would not be shorter (or memory is short).
std::optional<std::vector<std::byte>> compress(std::span<const std::byte> bytes);

/// Exactly `size` bytes, however the compressed ones are.
/// Errors: Malformed
Result<std::vector<std::byte>> decompress(std::span<const std::byte> bytes, std::size_t size);

}  // namespace fieldpost
