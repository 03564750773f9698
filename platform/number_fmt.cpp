// SPDX-License-Identifier: Apache-2.0
// By fmt, not std::to_chars(): GCC 12's brings 130 KB of tables for three floating-point types into the binary.
#include <fmt/compile.h>

#include <iterator>

#include "platform/number.hpp"

namespace fieldpost {

void append_number(std::string& text, double number) {
  fmt::format_to(std::back_inserter(text), FMT_COMPILE("{}"), number);
}

std::string shortest_text(double number) {
  std::string text;
  append_number(text, number);
  return text;
}

}  // namespace fieldpost
