// SPDX-License-Identifier: Apache-2.0
// The columns of a segment's summaries.
#pragma once

#include <span>
#include <vector>

#include "agent/aggregate/reading.hpp"
#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"

namespace fieldpost {

/// `first`: the segment's earliest time, which its header bears. `summaries` must not be empty.
void write_summaries(ByteWriter& out, BootTime first, std::span<const Summary> summaries);

/// On damage the reader has failed.
std::vector<Summary> read_summaries(ByteReader& in, BootTime first, std::size_t count, std::size_t series_count);

}  // namespace fieldpost
