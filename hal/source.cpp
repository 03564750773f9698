// SPDX-License-Identifier: Apache-2.0
// The options a source was given. Types were checked against the driver's declarations when the
// configuration was read, so a value of another type here means "not given".
#include "hal/source.hpp"

namespace fieldpost {
namespace {

template <typename T, typename Values>
const T* find_as(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  return found == values.end() ? nullptr : std::get_if<T>(&found->second);
}

}  // namespace

std::string OptionValues::text(std::string_view key, std::string_view fallback) const {
  const auto* value = find_as<std::string>(values_, key);
  return value != nullptr ? *value : std::string{fallback};
}

std::int64_t OptionValues::integer(std::string_view key, std::int64_t fallback) const {
  const auto* value = find_as<std::int64_t>(values_, key);
  return value != nullptr ? *value : fallback;
}

double OptionValues::real(std::string_view key, double fallback) const {
  if (const auto* value = find_as<double>(values_, key)) return *value;
  if (const auto* value = find_as<std::int64_t>(values_, key)) return static_cast<double>(*value);
  return fallback;
}

bool OptionValues::boolean(std::string_view key, bool fallback) const {
  const auto* value = find_as<bool>(values_, key);
  return value != nullptr ? *value : fallback;
}

std::vector<std::string> OptionValues::texts(std::string_view key) const {
  const auto* value = find_as<std::vector<std::string>>(values_, key);
  return value != nullptr ? *value : std::vector<std::string>{};
}

bool OptionValues::has(std::string_view key) const { return values_.contains(key); }

}  // namespace fieldpost
