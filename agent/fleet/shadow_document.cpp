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

std::string differing(const Json& desired, const Part& reported) {
  if (!reported) return desired.text();
  const std::string wanted = desired.text();
  if (!desired.is_object() || !reported->is_object()) return wanted == reported->text() ? std::string{} : wanted;
  JsonWriter out;
  out.begin_object();
  bool any = false;
  for (const std::string& key : desired.keys()) {
    const std::string inner = differing(*desired.at(key), reported->at(key));
    if (inner.empty()) continue;
    any = true;
    out.key(key).raw(inner);
  }
  out.end_object();
  return any ? std::move(out).take() : std::string{};
}

}  // namespace

std::string merged(const std::string& document, const Json& patch) {
  JsonWriter out;
  merge(out, parsed(document), patch);
  return std::move(out).take();
}

std::string difference(const std::string& desired, const std::string& reported) {
  const Part wanted = parsed(desired);
  if (!wanted || wanted->keys().empty()) return {};
  return differing(*wanted, parsed(reported));
}

bool has_null_in_array(const Json& value) {
  const auto elements = value.elements();
  return std::any_of(elements.begin(), elements.end(),
                     [&value](const Json& each) { return (value.is_array() && each.is_null()) || has_null_in_array(each); });
}

}  // namespace fieldpost
