// SPDX-License-Identifier: Apache-2.0
// What is read of a JSON object a dozen times a document: one member as what it should be. One place, because each reader
// that wrote it again made the binary larger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/json.hpp"

namespace fieldpost {

/// Empty if there is none, or if it is no text.
std::string member_text(const Json& json, std::string_view key);

/// Also of a number in quotes: AWS's guides show both.
std::optional<std::int64_t> member_integer(const Json& json, std::string_view key);

bool member_flag(const Json& json, std::string_view key, bool otherwise = false);

}  // namespace fieldpost
