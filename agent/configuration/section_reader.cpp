// SPDX-License-Identifier: Apache-2.0
// Checks first, getters after; a getter for a key that the table does not declare is our own mistake.
#include "agent/configuration/section_reader.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "agent/configuration/edit_distance.hpp"
#include "agent/configuration/quantity.hpp"
#include "agent/configuration/value_check.hpp"

namespace fieldpost {
namespace {

using Type = KeyDeclaration::Type;

std::string quoted(std::string_view key) { return "\"" + std::string{key} + "\""; }

double number_in(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

double number_of(const TomlValue& value) {
  return value.type == TomlValue::Type::integer ? static_cast<double>(value.integer) : value.real;
}

}  // namespace

std::string resolve_beside(std::string_view directory, std::string_view path) {
  if (path.empty() || path.front() == '/' || directory.empty()) return std::string{path};
  return std::string{directory} + "/" + std::string{path};
}

SectionReader::SectionReader(const SectionDeclaration& declaration, const TomlValue* table,
                             File& file, std::string title, const Foreign& foreign,
                             const std::vector<std::string_view>& other_keys)
    : declaration_{&declaration},
      table_{table},
      file_{&file},
      title_{title.empty() ? std::string{declaration.title} : std::move(title)} {
  if (table_ == nullptr) return;
  if (table_->type != TomlValue::Type::table) {
    file_->problems.error(table_->line, title_ + " must be a table, not " +
                                            std::string{to_text(table_->type)});
    table_ = nullptr;
    return;
  }
  for (const TomlMember& member : table_->table) {
    if (!foreign || !foreign(member.key)) check_member(member, other_keys);
  }
  for (const KeyDeclaration& key : declaration.keys) {
    if (key.required && table_->find(key.key) == nullptr) {
      file_->problems.error(table_->line, title_ + " lacks " + quoted(key.key) + ": " +
                                              std::string{key.help});
    }
  }
}

void SectionReader::check_member(const TomlMember& member,
                                 const std::vector<std::string_view>& other_keys) {
  const auto found = std::find_if(declaration_->keys.begin(), declaration_->keys.end(),
                                  [&](const KeyDeclaration& key) { return key.key == member.key; });
  if (found == declaration_->keys.end()) {
    std::vector<std::string_view> candidates = other_keys;
    for (const KeyDeclaration& key : declaration_->keys) candidates.push_back(key.key);
    std::string sentence = "unknown key " + quoted(member.key) + " in " + title_;
    const std::string_view meant = nearest(member.key, candidates);
    if (!meant.empty()) sentence += "; did you mean " + quoted(meant) + "?";
    file_->problems.error(member.line, std::move(sentence));
    return;
  }
  auto fault = fault_of(*found, member.value);
  const bool is_file = found->type == Type::file || found->type == Type::secret_file;
  if (!fault && is_file && file_->files_are_checked) {
    fault = fault_of_file(resolve_beside(file_->directory, member.value.text),
                          found->type == Type::secret_file);
  }
  if (!fault) return;
  wrong_.push_back(found->key);
  file_->problems.error(member.line, quoted(member.key) + " in " + title_ + " " + *fault);
}

const KeyDeclaration& SectionReader::declared(std::string_view key, Type type) const {
  const auto found = std::find_if(declaration_->keys.begin(), declaration_->keys.end(),
                                  [&](const KeyDeclaration& each) { return each.key == key; });
  assert(found != declaration_->keys.end() && "a key that its section does not declare");
  assert(found->type == type && "a getter of another type than declared");
  static_cast<void>(type);
  return *found;
}

const TomlValue* SectionReader::value(std::string_view key) const {
  if (table_ == nullptr) return nullptr;
  if (std::find(wrong_.begin(), wrong_.end(), key) != wrong_.end()) return nullptr;
  return table_->find(key);
}

bool SectionReader::given(std::string_view key) const { return value(key) != nullptr; }

int SectionReader::line_of(std::string_view key) const {
  if (table_ == nullptr) return 0;
  for (const TomlMember& member : table_->table) {
    if (member.key == key) return member.line;
  }
  return table_->line;
}

bool SectionReader::boolean(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::boolean);
  const TomlValue* written = value(key);
  return written != nullptr ? written->boolean : declaration.default_text == "true";
}

std::int64_t SectionReader::integer(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::integer);
  const TomlValue* written = value(key);
  return written != nullptr ? written->integer
                            : static_cast<std::int64_t>(number_in(declaration.default_text));
}

double SectionReader::real(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::real);
  const TomlValue* written = value(key);
  return written != nullptr ? number_of(*written) : number_in(declaration.default_text);
}

std::string SectionReader::text(std::string_view key) const {
  const TomlValue* written = value(key);
  if (written != nullptr) return written->text;
  for (const KeyDeclaration& each : declaration_->keys) {
    if (each.key == key) return std::string{each.default_text};
  }
  assert(false && "a key that its section does not declare");
  return {};
}

std::vector<std::string> SectionReader::texts(std::string_view key) const {
  declared(key, Type::texts);
  std::vector<std::string> result;
  const TomlValue* written = value(key);
  if (written == nullptr) return result;
  for (const TomlValue& element : written->array) result.push_back(element.text);
  return result;
}

std::vector<double> SectionReader::reals(std::string_view key) const {
  declared(key, Type::reals);
  std::vector<double> result;
  const TomlValue* written = value(key);
  if (written == nullptr) return result;
  for (const TomlValue& element : written->array) result.push_back(number_of(element));
  return result;
}

std::pair<double, double> SectionReader::range(std::string_view key) const {
  declared(key, Type::range);
  const TomlValue* written = value(key);
  if (written == nullptr) return {0, 0};
  return {number_of(written->array[0]), number_of(written->array[1])};
}

nanoseconds SectionReader::duration(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::duration);
  const TomlValue* written = value(key);
  const auto parsed = parse_duration(written != nullptr ? written->text : declaration.default_text);
  return parsed ? *parsed : nanoseconds::zero();
}

std::int64_t SectionReader::size(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::size);
  const TomlValue* written = value(key);
  const auto parsed = parse_size(written != nullptr ? written->text : declaration.default_text);
  return parsed ? *parsed : 0;
}

std::string SectionReader::path(std::string_view key) const {
  return resolve_beside(file_->directory, text(key));
}

std::vector<std::pair<std::string, std::string>> SectionReader::text_table(
    std::string_view key) const {
  declared(key, Type::text_table);
  std::vector<std::pair<std::string, std::string>> result;
  const TomlValue* written = value(key);
  if (written == nullptr) return result;
  for (const TomlMember& member : written->table) result.emplace_back(member.key, member.value.text);
  return result;
}

SectionReader SectionReader::section(std::string_view key) const {
  const KeyDeclaration& declaration = declared(key, Type::section);
  return SectionReader{*declaration.inner, value(key), *file_,
                       quoted(key) + " of " + title_};
}

std::optional<double> SectionReader::given_real(std::string_view key) const {
  if (!given(key)) return {};
  return real(key);
}

std::optional<nanoseconds> SectionReader::given_duration(std::string_view key) const {
  if (!given(key)) return {};
  return duration(key);
}

void SectionReader::error_at(std::string_view key, std::string sentence) const {
  file_->problems.error(line_of(key), std::move(sentence));
}

void SectionReader::warning_at(std::string_view key, std::string sentence) const {
  file_->problems.warning(line_of(key), std::move(sentence));
}

}  // namespace fieldpost
