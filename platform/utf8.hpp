// SPDX-License-Identifier: Apache-2.0
// Whether bytes are UTF-8. What leaves as JSON or MQTT text must be, whatever a sysfs file, a USB
// device's name or a driver's error message contains.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fieldpost {

/// Bytes of the well-formed character that `text` begins with; 0 if it begins with none.
/// Source: Unicode 15, table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF)
std::size_t utf8_character_bytes(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// The text with each byte that belongs to no character replaced by U+FFFD.
std::string to_utf8(std::string_view text);

}  // namespace fieldpost
