// SPDX-License-Identifier: Apache-2.0
// Durations ("10s", "500ms", "30d") and sizes ("256MiB") as people write them. A unit is always asked
// for: a bare number has been read as seconds by one program and milliseconds by another too often.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// A whole number and one of ns us ms s m h d.
/// Errors: Malformed (not of that form), OutOfRange (over 292 years)
Result<nanoseconds> parse_duration(std::string_view text);

/// A whole number and one of B kB MB GB KiB MiB GiB (kB, MB, GB are powers of 1000).
/// Errors: Malformed, OutOfRange (over 2^63 - 1 bytes)
Result<std::int64_t> parse_size(std::string_view text);

/// The shortest exact form: "90s", "2m", "1500ms".
std::string to_duration_text(nanoseconds duration);
/// The shortest exact form: "256MiB", "1000B".
std::string to_size_text(std::int64_t bytes);

}  // namespace fieldpost
