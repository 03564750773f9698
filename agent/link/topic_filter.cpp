// SPDX-License-Identifier: Apache-2.0
#include "agent/link/topic_filter.hpp"

#include <optional>

namespace fieldpost {

namespace {

std::string_view take_level(std::optional<std::string_view>& rest) {
  const auto slash = rest->find('/');
  const auto level = rest->substr(0, slash);
  rest = slash == std::string_view::npos ? std::nullopt : std::optional{rest->substr(slash + 1)};
  return level;
}

}  // namespace

bool topic_matches(std::string_view filter, std::string_view topic) noexcept {
  constexpr std::string_view kShare = "$share/";
  if (filter.starts_with(kShare)) {
    const auto slash = filter.find('/', kShare.size());
    if (slash == std::string_view::npos) return false;
    filter.remove_prefix(slash + 1);
  }
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  std::optional<std::string_view> filter_rest{filter};
  std::optional<std::string_view> topic_rest{topic};
  while (filter_rest) {
    const auto wanted = take_level(filter_rest);
    if (wanted == "#") return true;
    if (!topic_rest) return false;
    const auto level = take_level(topic_rest);
    if (wanted != "+" && wanted != level) return false;
    if (!topic_rest && filter_rest == std::string_view{"#"}) return true;  // "a/#" matches "a"
  }
  return !topic_rest;
}

}  // namespace fieldpost
