// SPDX-License-Identifier: Apache-2.0
// The series of a segment, front-coded: each is written as what differs from the one before it. Help
// texts, valid ranges and wrap limits stay behind: a consumer needs what the series is, not how to
// read it.
#pragma once

#include <span>
#include <vector>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "hal/series.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// Bytes of one series' name, unit and labels together, and how many labels: more is refused.
inline constexpr std::size_t kSeriesBytesMax = 4096;
inline constexpr std::size_t kSeriesLabelsMax = 64;

/// False for a series that passes those bounds.
bool fits_dictionary(const Series& series) noexcept;

/// Requires: fits_dictionary() of each.
void write_dictionary(ByteWriter& out, std::span<const Series* const> series);

std::vector<Series> read_dictionary(ByteReader& in);

}  // namespace fieldpost
