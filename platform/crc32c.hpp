// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), which guards every segment: SQLite does not notice most byte damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fieldpost {

/// The CRC-32C of `bytes`. `before` is the CRC of what stood in front of them, so that a message can
/// be summed in parts: crc32c(b, crc32c(a)) == crc32c(a + b).
///
/// Uses the processor's instruction where it has one (SSE 4.2, ARMv8 CRC; asked at run time, for our
/// builds are made for the oldest processor of each architecture).
/// Source: RFC 3720, appendix B.4 (test vectors)
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

/// The same by table, on any processor; for the test that compares the two.
std::uint32_t crc32c_by_table(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace fieldpost
