// SPDX-License-Identifier: Apache-2.0
// The reference of the configuration file, printed from the same tables that check it.
#include "agent/configuration/configuration.hpp"
#include "agent/configuration/declaration.hpp"

namespace fieldpost {
namespace {

std::string option_type_text(OptionDeclaration::Type type) {
  switch (type) {
    case OptionDeclaration::Type::boolean: return "true/false";
    case OptionDeclaration::Type::integer: return "whole number";
    case OptionDeclaration::Type::real: return "number";
    case OptionDeclaration::Type::text: return "text";
    case OptionDeclaration::Type::texts: return "list of texts";
  }
  return "?";
}

void add_key(std::string& text, std::string_view key, const std::string& type, bool required,
             std::string_view default_text, std::string_view help) {
  text += "  " + std::string{key} + "  (" + type;
  if (required) text += ", required";
  if (!default_text.empty()) text += ", default " + std::string{default_text};
  text += ")\n      " + std::string{help} + "\n";
}

}  // namespace

std::string explain_configuration(std::span<const Driver> drivers) {
  std::string text;
  for (const SectionDeclaration* section : section_table()) {
    text += std::string{section->title} + "  " + std::string{section->help} + "\n";
    for (const KeyDeclaration& key : section->keys) {
      const std::string type{key.type == KeyDeclaration::Type::choice ? key.choices
                                                                      : type_text(key.type)};
      add_key(text, key.key, type, key.required, key.default_text, key.help);
    }
    text += "\n";
  }
  for (const Driver& driver : drivers) {
    if (driver.options.empty()) continue;
    text += "[source.NAME] driver = \"" + std::string{driver.name} + "\"  " +
            std::string{driver.summary} + "\n";
    for (const OptionDeclaration& option : driver.options) {
      add_key(text, option.key, option_type_text(option.type), option.required,
              option.default_text, option.help);
    }
    text += "\n";
  }
  return text;
}

}  // namespace fieldpost
