// SPDX-License-Identifier: Apache-2.0
// Merging happens on the parsed text, before anything is checked: a key is checked once, where it
// was written last.
#include "agent/configuration/overlay.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "agent/configuration/declaration.hpp"
#include "agent/configuration/edit_distance.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kPrefix = "FIELDPOST_";

/// Sections that stand once, so that their name and a key say all.
constexpr std::array kSingleSections{&kDeviceSection, &kBrokerSection, &kCloudSection, &kJobsSection, &kSamplingSection, &kOutboxSection,
                                     &kSyncSection,   &kSelfSection,   &kLogSection,   &kControlSection};
/// And those of which there may be many.
constexpr std::array<std::string_view, 3> kManifoldSections{"source", "series", "rule"};

/// "[broker]" -> "broker"
std::string_view name_of(const SectionDeclaration& section) {
  return section.title.substr(1, section.title.size() - 2);
}

std::string in_case(std::string_view text, int (*convert)(int)) {
  std::string result{text};
  for (char& c : result) c = static_cast<char>(convert(static_cast<unsigned char>(c)));
  return result;
}

void move_to_file(TomlValue& value, int file) {
  value.line = place_in(file, value.line);
  for (TomlValue& element : value.array) move_to_file(element, file);
  for (TomlMember& member : value.table) {
    member.line = place_in(file, member.line);
    move_to_file(member.value, file);
  }
}

bool is_list_of_tables(const TomlValue& value) {
  return value.type == TomlValue::Type::array && !value.array.empty() &&
         value.array.front().type == TomlValue::Type::table;
}

/// Numbers, switches and lists are written as in TOML; everything else is text as it stands.
TomlValue value_of(const KeyDeclaration* key, const std::string& text) {
  using Type = KeyDeclaration::Type;
  TomlValue value;
  if (key != nullptr) {
    switch (key->type) {
      case Type::boolean:
      case Type::integer:
      case Type::real:
      case Type::texts:
      case Type::reals:
      case Type::range:
      case Type::text_table:
      case Type::section: {
        TomlValue document;
        TomlFault fault;
        if (!parse_toml("value = " + text, document, fault)) break;
        if (const TomlValue* parsed = document.find("value")) return *parsed;
        break;
      }
      case Type::text:
      case Type::choice:
      case Type::duration:
      case Type::size:
      case Type::file:
      case Type::secret_file:
      case Type::absolute_path:
        break;
    }
  }
  value.type = TomlValue::Type::text;
  value.text = text;
  return value;
}

void lay_variable(const EnvironmentVariable& variable, const SectionDeclaration& section,
                  std::string_view key_in_capitals, int file, TomlValue& document) {
  const std::string key = in_case(key_in_capitals, std::tolower);
  const auto declared = std::find_if(section.keys.begin(), section.keys.end(),
                                     [&](const KeyDeclaration& each) { return each.key == key; });
  TomlValue table;
  table.table.push_back(
      {key, 0, value_of(declared == section.keys.end() ? nullptr : &*declared, variable.value)});
  TomlValue over;
  over.table.push_back({std::string{name_of(section)}, 0, std::move(table)});
  move_to_file(over, file);
  // Lines inside a variable would mean nothing to its reader.
  over.table[0].value.table[0].value.line = place_in(file, 0);
  lay_over(document, std::move(over));
}

/// What is wrong with a variable's name; empty if it is right, or not ours.
std::string fault_of_name(std::string_view section_in_capitals, std::string_view key) {
  const std::string section = in_case(section_in_capitals, std::tolower);
  if (std::find(kManifoldSections.begin(), kManifoldSections.end(), section) != kManifoldSections.end()) {
    return "sources, series and rules are set in files, such as conf.d/" + section + ".toml";
  }
  std::vector<std::string_view> names;
  for (const SectionDeclaration* each : kSingleSections) names.push_back(name_of(*each));
  const std::string_view meant = nearest(section, names);
  if (meant.empty()) return {};
  if (meant == section) {
    const auto* found = *std::find_if(kSingleSections.begin(), kSingleSections.end(),
                                      [&](const auto* each) { return name_of(*each) == section; });
    return "names no key of [" + section + "]; did you mean " + std::string{kPrefix} +
           std::string{section_in_capitals} + "_" + in_case(found->keys.front().key, std::toupper) + "?";
  }
  return "there is no section [" + section + "]; did you mean " + std::string{kPrefix} +
         in_case(meant, std::toupper) + (key.empty() ? "" : "_" + std::string{key}) + "?";
}

}  // namespace

void lay_over(TomlValue& base, TomlValue over) {
  if (is_list_of_tables(base) && is_list_of_tables(over)) {
    std::move(over.array.begin(), over.array.end(), std::back_inserter(base.array));
    return;
  }
  if (base.type != TomlValue::Type::table || over.type != TomlValue::Type::table) {
    base = std::move(over);
    return;
  }
  for (TomlMember& member : over.table) {
    const auto place =
        std::lower_bound(base.table.begin(), base.table.end(), member.key,
                         [](const TomlMember& a, const std::string& key) { return a.key < key; });
    if (place == base.table.end() || place->key != member.key) {
      base.table.insert(place, std::move(member));
      continue;
    }
    const bool merges = place->value.type == member.value.type &&
                        (member.value.type == TomlValue::Type::table || is_list_of_tables(member.value));
    if (!merges) place->line = member.line;
    lay_over(place->value, std::move(member.value));
  }
}

void lay_text(std::string_view text, int file, TomlValue& document, Problems& problems) {
  TomlValue parsed;
  TomlFault fault;
  if (!parse_toml(text, parsed, fault)) {
    problems.error(place_in(file, fault.line), "this is not TOML: " + fault.sentence);
    return;
  }
  move_to_file(parsed, file);
  lay_over(document, std::move(parsed));
}

void lay_environment(std::vector<EnvironmentVariable> variables, TomlValue& document, Problems& problems) {
  std::sort(variables.begin(), variables.end(),
            [](const EnvironmentVariable& a, const EnvironmentVariable& b) { return a.name < b.name; });
  for (const EnvironmentVariable& variable : variables) {
    if (!variable.name.starts_with(kPrefix) || variable.value.empty()) continue;
    const std::string_view rest = std::string_view{variable.name}.substr(kPrefix.size());
    const std::size_t end = rest.find('_');
    const std::string_view section = rest.substr(0, end);
    const std::string_view key = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    const auto* found = std::find_if(kSingleSections.begin(), kSingleSections.end(), [&](const auto* each) {
      return in_case(name_of(*each), std::toupper) == section;
    });
    const bool complete = found != kSingleSections.end() && !key.empty();
    const std::string fault = complete ? std::string{} : fault_of_name(section, key);
    if (!complete && fault.empty()) continue;
    const int file = problems.add_file("environment variable " + variable.name);
    if (complete) {
      lay_variable(variable, **found, key, file, document);
    } else {
      problems.error(place_in(file, 0), fault);
    }
  }
}

}  // namespace fieldpost
