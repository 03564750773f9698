// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/merge_patch.hpp"

namespace fieldpost {
namespace {

/// The order of members says nothing.
bool is_same(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) return merge_patch(a, b) == "{}";
  if (!a.is_array() || !b.is_array()) return a.text() == b.text();
  const auto left = a.elements();
  const auto right = b.elements();
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!is_same(left[i], right[i])) return false;
  }
  return true;
}

void add(std::string& text, const std::string& key, const std::string& value) {
  JsonWriter quoted;
  quoted.value(key);
  if (text.size() > 1) text += ',';
  text += std::move(quoted).take() + ":" + value;
}

}  // namespace

std::string merge_patch(const Json& from, const Json& to, bool removals) {
  std::string text = "{";
  for (const std::string& key : to.keys()) {
    const auto before = from.at(key);
    const auto after = to.at(key);
    if (before && is_same(*before, *after)) continue;
    const bool merges = before && before->is_object() && after->is_object();
    const std::string value = merges ? merge_patch(*before, *after, removals) : after->text();
    if (!merges || value != "{}") add(text, key, value);
  }
  for (const std::string& key : from.keys()) {
    if (removals && !to.at(key)) add(text, key, "null");
  }
  return text + "}";
}

}  // namespace fieldpost
