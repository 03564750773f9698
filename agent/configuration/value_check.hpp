// SPDX-License-Identifier: Apache-2.0
// Whether one value is what its key's declaration asks for; the sentence that says why not.
#pragma once

#include <optional>
#include <string>

#include "agent/configuration/declaration.hpp"
#include "agent/configuration/toml_value.hpp"

namespace fieldpost {

/// Nothing if the value is right; otherwise what stands after the key's name in the message:
/// "must be a duration such as \"10s\", not a whole number".
std::optional<std::string> fault_of(const KeyDeclaration& declaration, const TomlValue& value);

/// Nothing if the file can be used; otherwise what stands after the key's name.
std::optional<std::string> fault_of_file(const std::string& path, bool secret);

}  // namespace fieldpost
