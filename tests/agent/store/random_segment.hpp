// SPDX-License-Identifier: Apache-2.0
// Segments of everything the format can hold, made from a seed; and exact comparison, bit by bit, which
// operator== on doubles is not.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "agent/store/segment.hpp"

namespace fieldpost {

struct RandomSegment {
  SegmentHeader header;
  SegmentContent content;
};

/// Whatever a seed gives: real-looking series, hostile doubles, names with every byte, empty parts.
RandomSegment random_segment(std::uint64_t seed);

/// What a JSON message can hold as well: names and texts of plain characters, times of one day.
RandomSegment random_plain_segment(std::uint64_t seed);

/// Where two contents differ first; empty if nowhere.
std::string difference(const SegmentContent& a, const SegmentContent& b);
std::string difference(const SegmentHeader& a, const SegmentHeader& b);

}  // namespace fieldpost
