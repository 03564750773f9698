// SPDX-License-Identifier: Apache-2.0
// Numbers as text, the same text everywhere: in messages, in the log, on a page.
#pragma once

#include <string>

namespace fieldpost {

/// Adds the shortest decimal text that reads back as the same double: "0.1", "100000", "1e+30", "-0".
/// Plain digits from 1e-4 to below 1e16, an exponent outside; "nan", "inf" and "-inf" as they are.
void append_number(std::string& text, double number);

/// append_number() into a text of its own.
std::string shortest_text(double number);

}  // namespace fieldpost
