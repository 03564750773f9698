// SPDX-License-Identifier: Apache-2.0
// Whether a text is JSON as RFC 8259 has it. cJSON is generous: it takes 01, 1., raw line breaks and
// broken UTF-8, and cuts a string at \u0000; it says neither where nor why it gives up, and it spends
// 64 bytes on each value of "[1,1,1...". So the text is checked first, here, without recursion.
#pragma once

#include <cstddef>
#include <string_view>

#include "platform/result.hpp"

namespace fieldpost {

struct JsonBounds {
  std::size_t text_bytes_max;
  std::size_t values_max;
  int depth_max;
};

/// Errors: Malformed (with the byte offset; also for \u0000 and lone surrogates, which no
///         std::string could hold), OutOfRange (a bound is passed)
Result<void> check_json_grammar(std::string_view text, const JsonBounds& bounds);

}  // namespace fieldpost
