// SPDX-License-Identifier: Apache-2.0
// One function a family of types; every sentence says what would be right.
#include "agent/configuration/value_check.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <vector>

#include "agent/configuration/edit_distance.hpp"
#include "agent/configuration/quantity.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/number.hpp"

namespace fieldpost {
namespace {

using Type = KeyDeclaration::Type;
using Fault = std::optional<std::string>;

std::string limit_text(Type type, double limit) {
  if (type == Type::duration) {
    return to_duration_text(nanoseconds{static_cast<std::int64_t>(limit * 1e9)});
  }
  if (type == Type::size) return to_size_text(static_cast<std::int64_t>(limit));
  return shortest_text(limit);
}

Fault outside(const KeyDeclaration& declaration, double number, const std::string& written) {
  if (number >= declaration.min && number <= declaration.max) return {};
  const bool has_min = std::isfinite(declaration.min);
  const bool has_max = std::isfinite(declaration.max);
  std::string allowed;
  if (has_min && has_max) {
    allowed = "between " + limit_text(declaration.type, declaration.min) + " and " +
              limit_text(declaration.type, declaration.max);
  } else if (has_min) {
    allowed = "at least " + limit_text(declaration.type, declaration.min);
  } else {
    allowed = "at most " + limit_text(declaration.type, declaration.max);
  }
  return "is " + written + "; it must be " + allowed;
}

Fault wrong_type(const KeyDeclaration& declaration, const TomlValue& value) {
  return "must be " + std::string{wanted_text(declaration.type)} + ", not " +
         std::string{to_text(value.type)};
}

bool is_number(const TomlValue& value) {
  return value.type == TomlValue::Type::integer || value.type == TomlValue::Type::real;
}

double number_of(const TomlValue& value) {
  return value.type == TomlValue::Type::integer ? static_cast<double>(value.integer) : value.real;
}

Fault fault_of_number(const KeyDeclaration& declaration, const TomlValue& value) {
  const bool right_type =
      declaration.type == Type::integer ? value.type == TomlValue::Type::integer : is_number(value);
  if (!right_type) return wrong_type(declaration, value);
  const double number = number_of(value);
  if (!std::isfinite(number)) return "must be a finite number";
  return outside(declaration, number, shortest_text(number));
}

Fault fault_of_quantity(const KeyDeclaration& declaration, const TomlValue& value) {
  if (is_number(value)) {
    return "must be " + std::string{wanted_text(declaration.type)} +
           ", not a bare number: which unit is meant?";
  }
  if (value.type != TomlValue::Type::text) return wrong_type(declaration, value);
  double number = 0;
  std::optional<Error> error;
  if (declaration.type == Type::duration) {
    const auto parsed = parse_duration(value.text);
    if (parsed) number = static_cast<double>(parsed->count()) / 1e9;
    if (!parsed) error = parsed.error();
  } else {
    const auto parsed = parse_size(value.text);
    if (parsed) number = static_cast<double>(*parsed);
    if (!parsed) error = parsed.error();
  }
  if (error) return "is wrong: " + error->sentence();
  return outside(declaration, number, "\"" + value.text + "\"");
}

std::vector<std::string_view> split_choices(std::string_view choices) {
  std::vector<std::string_view> result;
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    result.push_back(choices.substr(0, bar));
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return result;
}

Fault fault_of_choice(const KeyDeclaration& declaration, const TomlValue& value) {
  const std::vector<std::string_view> choices = split_choices(declaration.choices);
  std::string allowed;
  for (const std::string_view choice : choices) {
    if (!allowed.empty()) allowed += choice == choices.back() ? " or " : ", ";
    allowed += "\"" + std::string{choice} + "\"";
  }
  if (value.type != TomlValue::Type::text) {
    return "must be " + allowed + ", not " + std::string{to_text(value.type)};
  }
  for (const std::string_view choice : choices) {
    if (choice == value.text) return {};
  }
  const std::string_view meant = nearest(value.text, choices);
  if (!meant.empty()) {
    return "is \"" + value.text + "\"; did you mean \"" + std::string{meant} + "\"?";
  }
  return "is \"" + value.text + "\"; it must be " + allowed;
}

Fault fault_of_list(const KeyDeclaration& declaration, const TomlValue& value) {
  if (value.type != TomlValue::Type::array) return wrong_type(declaration, value);
  const bool of_texts = declaration.type == Type::texts;
  for (const TomlValue& element : value.array) {
    const bool right = of_texts ? element.type == TomlValue::Type::text
                                : is_number(element) && std::isfinite(number_of(element));
    if (!right) {
      return "must be " + std::string{wanted_text(declaration.type)} + "; it holds " +
             std::string{to_text(element.type)};
    }
    if (of_texts) continue;
    if (Fault fault = outside(declaration, number_of(element), shortest_text(number_of(element)))) {
      return "has an element that " + *fault;
    }
  }
  if (declaration.type == Type::range &&
      (value.array.size() != 2 || number_of(value.array[0]) >= number_of(value.array[1]))) {
    return "must be " + std::string{wanted_text(declaration.type)};
  }
  return {};
}

Fault fault_of_text_table(const KeyDeclaration& declaration, const TomlValue& value) {
  if (value.type != TomlValue::Type::table) return wrong_type(declaration, value);
  for (const TomlMember& member : value.table) {
    if (member.value.type == TomlValue::Type::text) continue;
    return "must be " + std::string{wanted_text(declaration.type)} + "; \"" + member.key +
           "\" is " + std::string{to_text(member.value.type)};
  }
  return {};
}

}  // namespace

std::optional<std::string> fault_of(const KeyDeclaration& declaration, const TomlValue& value) {
  switch (declaration.type) {
    case Type::boolean:
      return value.type == TomlValue::Type::boolean ? Fault{} : wrong_type(declaration, value);
    case Type::integer:
    case Type::real:
      return fault_of_number(declaration, value);
    case Type::text:
      return value.type == TomlValue::Type::text ? Fault{} : wrong_type(declaration, value);
    case Type::file:
    case Type::secret_file:
      if (value.type != TomlValue::Type::text) return wrong_type(declaration, value);
      if (value.text.empty()) return "is empty; leave the line out instead";
      return {};
    case Type::absolute_path:
      if (value.type != TomlValue::Type::text) return wrong_type(declaration, value);
      if (value.text.empty() || value.text.front() != '/') {
        return "must be an absolute path, such as \"/var/lib/fieldpost\"";
      }
      return {};
    case Type::choice:
      return fault_of_choice(declaration, value);
    case Type::texts:
    case Type::reals:
    case Type::range:
      return fault_of_list(declaration, value);
    case Type::duration:
    case Type::size:
      return fault_of_quantity(declaration, value);
    case Type::text_table:
      return fault_of_text_table(declaration, value);
    case Type::section:
      return value.type == TomlValue::Type::table ? Fault{} : wrong_type(declaration, value);
  }
  return {};
}

std::optional<std::string> fault_of_file(const std::string& path, bool secret) {
  // O_NONBLOCK: a FIFO put there by mistake must not hang the check.
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file) {
    const int error_number = errno;
    if (error_number == ENOENT) return "names " + path + ", which does not exist";
    return errno_error("names " + path + ", which cannot be read by this user", error_number)
        .sentence();
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return "names " + path + ", which is not a file";
  }
  if (!secret) return {};
  // Group may read when root owns the file: that is how a package (root:fieldpost 0640) and
  // systemd's LoadCredential= hand a secret to a service user.
  const auto mode = status.st_mode & 0777U;
  const unsigned allowed = status.st_uid == 0 ? 0740U : 0700U;
  if ((mode & ~allowed) != 0) {
    std::array<char, 8> octal{};
    std::snprintf(octal.data(), octal.size(), "%04o", mode);
    return "names " + path + ", which others can read (mode " + octal.data() + "); chmod 600 it";
  }
  return {};
}

}  // namespace fieldpost
