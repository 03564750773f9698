// SPDX-License-Identifier: Apache-2.0
// Look-up in a parsed TOML file, and its types in words.
#include "agent/configuration/toml_value.hpp"

namespace fieldpost {

const TomlValue* TomlValue::find(std::string_view key) const {
  for (const TomlMember& member : table) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string_view to_text(TomlValue::Type type) noexcept {
  switch (type) {
    case TomlValue::Type::boolean: return "true or false";
    case TomlValue::Type::integer: return "a whole number";
    case TomlValue::Type::real: return "a number";
    case TomlValue::Type::text: return "text";
    case TomlValue::Type::array: return "a list";
    case TomlValue::Type::table: return "a table";
    case TomlValue::Type::date: return "a date";
  }
  return "?";
}

}  // namespace fieldpost
