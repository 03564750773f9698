// SPDX-License-Identifier: Apache-2.0
#include "platform/json_member.hpp"

#include <charconv>

namespace fieldpost {

std::string member_text(const Json& json, std::string_view key) {
  const auto member = json.at(key);
  return member ? member->string().value_or("") : std::string{};
}

std::optional<std::int64_t> member_integer(const Json& json, std::string_view key) {
  const auto member = json.at(key);
  if (!member) return std::nullopt;
  if (const auto number = member->integer()) return number;
  const std::string text = member->string().value_or("");
  std::int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc{} && end.ptr == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

bool member_flag(const Json& json, std::string_view key, bool otherwise) {
  const auto member = json.at(key);
  return member ? member->boolean().value_or(otherwise) : otherwise;
}

}  // namespace fieldpost
