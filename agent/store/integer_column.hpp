// SPDX-License-Identifier: Apache-2.0
// A column of 64-bit integers as differences: of neighbours (delta) or of those differences (delta of
// delta, for what grows evenly). Runs of zero differences are counted, so that what does not change
// costs two bytes however long it is. Arithmetic wraps, so every int64 is exact.
#pragma once

#include <cstdint>
#include <span>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"

namespace fieldpost {

enum class Differences : std::uint8_t { delta, delta_of_delta };

/// The first difference is to `before`.
void write_integers(ByteWriter& out, std::span<const std::int64_t> values, Differences differences,
                    std::int64_t before = 0);

/// Fills `values`; on damage the reader has failed and `values` are anything.
void read_integers(ByteReader& in, std::span<std::int64_t> values, Differences differences,
                   std::int64_t before = 0);

}  // namespace fieldpost
