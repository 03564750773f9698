// SPDX-License-Identifier: Apache-2.0
// Globs, as the configuration uses them to choose series, devices and statistics.
#pragma once

#include <string_view>

namespace fieldpost {

/// True if `pattern` (`*` any run, `?` any one byte, all else itself) matches the whole `text`.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace fieldpost
