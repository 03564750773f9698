// SPDX-License-Identifier: Apache-2.0
// TOML by toml++ 3.3. Compiled without its exceptions: a parse error comes back as a value.
#include "agent/configuration/toml_value.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>

namespace fieldpost {
namespace {

int line_of(const toml::source_region& region) {
  return static_cast<int>(region.begin.line);
}

TomlValue convert(const toml::node& node);

TomlValue convert_table(const toml::table& table) {
  TomlValue value;
  value.type = TomlValue::Type::table;
  for (const auto& [key, child] : table) {
    TomlValue converted = convert(child);
    // toml++ gives a super-table made by "[a.b]" no source of its own; its key has one.
    const int key_line = line_of(key.source());
    if (converted.line == 0) converted.line = key_line;
    value.table.push_back(
        {std::string{key.str()}, key_line != 0 ? key_line : converted.line, std::move(converted)});
  }
  return value;
}

TomlValue convert(const toml::node& node) {
  TomlValue value;
  switch (node.type()) {
    case toml::node_type::table:
      value = convert_table(*node.as_table());
      break;
    case toml::node_type::array:
      value.type = TomlValue::Type::array;
      for (const auto& element : *node.as_array()) value.array.push_back(convert(element));
      break;
    case toml::node_type::string:
      value.type = TomlValue::Type::text;
      value.text = node.as_string()->get();
      break;
    case toml::node_type::integer:
      value.type = TomlValue::Type::integer;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.type = TomlValue::Type::real;
      value.real = node.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      value.type = TomlValue::Type::boolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::none:
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      value.type = TomlValue::Type::date;
      break;
  }
  value.line = line_of(node.source());
  return value;
}

}  // namespace

bool parse_toml(std::string_view text, TomlValue& value, TomlFault& fault) {
  value = TomlValue{};
  if (text.size() > kTomlBytesMax) {
    fault = {0, "larger than 1 MiB; a configuration is a few kilobytes"};
    return false;
  }
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    fault = {line_of(result.error().source()), std::string{result.error().description()}};
    // One line: the message goes into one line of output.
    std::replace(fault.sentence.begin(), fault.sentence.end(), '\n', ' ');
    return false;
  }
  value = convert_table(result.table());
  return true;
}

}  // namespace fieldpost
