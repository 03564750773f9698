// SPDX-License-Identifier: Apache-2.0
// A driver declares its options; this is where what was written meets them.
#include "agent/configuration/driver_options.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "agent/configuration/edit_distance.hpp"
#include "agent/configuration/quantity.hpp"

namespace fieldpost {
namespace {

using OptionType = OptionDeclaration::Type;

std::string_view wanted_text(OptionType type) {
  switch (type) {
    case OptionType::boolean: return "true or false";
    case OptionType::integer: return "a whole number";
    case OptionType::real: return "a number";
    case OptionType::text: return "text in quotes";
    case OptionType::texts: return "a list of texts, such as [\"one\", \"two\"]";
  }
  return "?";
}

std::optional<OptionValue> option_value(OptionType type, const TomlValue& value) {
  using Written = TomlValue::Type;
  if (type == OptionType::boolean && value.type == Written::boolean) return value.boolean;
  if (type == OptionType::integer && value.type == Written::integer) return value.integer;
  if (type == OptionType::real && value.type == Written::real) return value.real;
  // Integers are accepted where a real is asked for (hal/source.hpp).
  if (type == OptionType::real && value.type == Written::integer) return value.integer;
  if (type == OptionType::text && value.type == Written::text) return value.text;
  if (type != OptionType::texts || value.type != Written::array) return {};
  std::vector<std::string> texts;
  for (const TomlValue& element : value.array) {
    if (element.type != Written::text) return {};
    texts.push_back(element.text);
  }
  return texts;
}

const OptionDeclaration* find_option(const Driver& driver, std::string_view key) {
  const auto found = std::find_if(driver.options.begin(), driver.options.end(),
                                  [&](const OptionDeclaration& each) { return each.key == key; });
  return found == driver.options.end() ? nullptr : &*found;
}

OptionValues read_options(const Driver& driver, const TomlValue& table, const std::string& title,
                          SectionReader::File& file) {
  std::map<std::string, OptionValue, std::less<>> values;
  for (const TomlMember& member : table.table) {
    const OptionDeclaration* option = find_option(driver, member.key);
    if (option == nullptr) continue;  // the agent's own key, or reported as unknown
    auto value = option_value(option->type, member.value);
    if (value) {
      values.emplace(member.key, std::move(*value));
      continue;
    }
    file.problems.error(member.line, "\"" + member.key + "\" in " + title + " must be " +
                                         std::string{wanted_text(option->type)} + ", not " +
                                         std::string{to_text(member.value.type)});
  }
  for (const OptionDeclaration& option : driver.options) {
    if (option.required && table.find(option.key) == nullptr) {
      file.problems.error(table.line, title + " lacks \"" + std::string{option.key} +
                                          "\", which driver \"" + std::string{driver.name} +
                                          "\" needs: " + std::string{option.help});
    }
  }
  return OptionValues{std::move(values)};
}

const Driver* find_in(std::span<const Driver> drivers, std::string_view name) {
  const auto found = std::find_if(drivers.begin(), drivers.end(),
                                  [&](const Driver& driver) { return driver.name == name; });
  return found == drivers.end() ? nullptr : &*found;
}

/// The driver that a section means; null and a problem if there is none.
const Driver* driver_of(const TomlMember& section, const std::string& title,
                        std::span<const Driver> drivers, SectionReader::File& file) {
  const TomlValue* written =
      section.value.type == TomlValue::Type::table ? section.value.find("driver") : nullptr;
  const bool named = written != nullptr && written->type == TomlValue::Type::text;
  const std::string& name = named ? written->text : section.key;
  if (const Driver* driver = find_in(drivers, name)) return driver;
  std::vector<std::string_view> names;
  for (const Driver& driver : drivers) names.push_back(driver.name);
  const std::string_view meant = nearest(name, names);
  std::string sentence = named ? "\"driver\" in " + title + " is \"" + name + "\", which is no driver"
                               : title + " is no driver's name and has no \"driver\"";
  sentence += meant.empty() ? "; `fieldpost sources` lists the drivers"
                            : "; did you mean \"" + std::string{meant} + "\"?";
  file.problems.error(named ? written->line : section.line, std::move(sentence));
  return nullptr;
}

void check_interval(const SourceOptions& source, const SectionReader& reader) {
  if (source.interval <= source.driver->interval_max) return;
  const std::string longest = to_duration_text(source.driver->interval_max);
  reader.error_at("interval", reader.title() + " is read every " + to_duration_text(source.interval) +
                                  "; set \"interval\" in it to at most " + longest + ": " +
                                  std::string{source.driver->interval_reason});
}

}  // namespace

std::vector<SourceOptions> read_sources(const TomlValue* sources, std::span<const Driver> drivers,
                                        nanoseconds default_interval, bool with_defaults,
                                        SectionReader::File& file) {
  std::vector<SourceOptions> result;
  std::vector<const Driver*> named;
  if (sources != nullptr && sources->type != TomlValue::Type::table) {
    file.problems.error(sources->line, "\"source\" must be sections such as [source.cpu]");
    sources = nullptr;
  }
  const std::vector<TomlMember> none;
  for (const TomlMember& section : sources != nullptr ? sources->table : none) {
    const std::string title = "[source." + section.key + "]";
    const Driver* driver = driver_of(section, title, drivers, file);
    std::vector<std::string_view> option_keys;
    if (driver != nullptr) {
      for (const OptionDeclaration& option : driver->options) option_keys.push_back(option.key);
    }
    const SectionReader reader{
        kSourceSection, &section.value, file, title,
        // Without a driver nobody can tell which keys are right: the driver's name is the problem.
        [&](std::string_view key) {
          const bool ours = key == "driver" || key == "enabled" || key == "interval";
          return !ours && (driver == nullptr || find_option(*driver, key) != nullptr);
        },
        option_keys};
    if (driver == nullptr || !reader.present()) continue;
    named.push_back(driver);
    SourceOptions source;
    source.instance = section.key;
    source.driver = driver;
    source.asked_for = true;
    source.interval = reader.given_duration("interval").value_or(default_interval);
    source.options = read_options(*driver, section.value, title, file);
    if (!reader.boolean("enabled")) continue;
    check_interval(source, reader);
    result.push_back(std::move(source));
  }
  if (!with_defaults) return result;
  for (const Driver& driver : drivers) {
    if (!driver.on_by_default) continue;
    if (std::find(named.begin(), named.end(), &driver) != named.end()) continue;
    result.push_back({std::string{driver.name}, &driver, OptionValues{}, default_interval, false});
  }
  return result;
}

}  // namespace fieldpost
