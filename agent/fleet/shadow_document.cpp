// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/shadow_document.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

using Part = std::optional<Json>;

Part parsed(const std::string& document) {
  auto json = Json::parse(document.empty() ? "{}" : document);
  return json ? Part{std::move(*json)} : Part{};
}

void merge(JsonWriter& out, const Part& old, const Json& patch) {
  if (!patch.is_object()) {
    out.raw(patch.text());
    return;
  }
  out.begin_object();
  if (old && old->is_object()) {
    for (const std::string& key : old->keys()) {
      if (!patch.at(key)) out.key(key).raw(old->at(key)->text());
    }
  }
  for (const std::string& key : patch.keys()) {
    const Json value = *patch.at(key);
    if (value.is_null()) continue;
    out.key(key);
    merge(out, old ? old->at(key) : Part{}, value);
  }
  out.end_object();
}

}  // namespace

std::string merged(const std::string& document, const Json& patch) {
  JsonWriter out;
  merge(out, parsed(document), patch);
  return std::move(out).take();
}

bool has_null_in_array(const Json& value) {
  const auto elements = value.elements();
  return std::any_of(elements.begin(), elements.end(),
                     [&value](const Json& each) { return (value.is_array() && each.is_null()) || has_null_in_array(each); });
}

}  // namespace fieldpost
