// SPDX-License-Identifier: Apache-2.0
// A parsed TOML file with the line of every key, free of the library that parsed it: the reader and
// its messages need lines, and toml++ stays inside toml_tomlplusplus.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/result.hpp"

namespace fieldpost {

struct TomlMember;

struct TomlValue {
  enum class Type : std::uint8_t { boolean, integer, real, text, array, table, date };

  Type type = Type::table;
  int line = 0;  ///< counts from 1; 0: unknown. Of several files: as place_in() has it
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<TomlValue> array;
  std::vector<TomlMember> table;  ///< ordered by key

  /// The member of that name, or nothing. Valid while this value is.
  const TomlValue* find(std::string_view key) const;
};

struct TomlMember {
  std::string key;
  int line = 0;
  TomlValue value;
};

/// "a whole number", "text": for messages.
std::string_view to_text(TomlValue::Type type) noexcept;

/// Where and why a file is not TOML.
struct TomlFault {
  int line = 0;
  std::string sentence;
};

inline constexpr std::size_t kTomlBytesMax = 1U << 20U;

/// Parses text of at most kTomlBytesMax bytes. On failure the value is empty and `fault` is filled.
bool parse_toml(std::string_view text, TomlValue& value, TomlFault& fault);

}  // namespace fieldpost
