// SPDX-License-Identifier: Apache-2.0
// Reading JSON: the text has passed check_json_grammar(), cJSON builds the tree, and nothing of
// cJSON is seen outside this file.
#include <cjson/cJSON.h>

#include <algorithm>
#include <cmath>

#include "platform/json.hpp"
#include "platform/json_grammar.hpp"

namespace fieldpost {
namespace {

const cJSON* as_node(const void* node) { return static_cast<const cJSON*>(node); }

/// Which of two equal keys counts differs from parser to parser; a signed document must not mean two
/// things. Depth is bounded by the grammar check.
Result<void> refuse_equal_keys(const cJSON* node) {
  if (cJSON_IsObject(node) != 0) {
    std::vector<std::string_view> keys;
    for (const cJSON* child = node->child; child != nullptr; child = child->next) {
      keys.emplace_back(child->string);
    }
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      return Error{ErrorKind::Malformed,
                   "JSON: the key \"" + std::string{twice->substr(0, 60)} + "\" stands twice in one object"};
    }
  }
  for (const cJSON* child = node->child; child != nullptr; child = child->next) {
    TRY(refuse_equal_keys(child));
  }
  return {};
}

void write(JsonWriter& writer, const cJSON* node) {
  if (cJSON_IsObject(node) != 0) {
    writer.begin_object();
    for (const cJSON* child = node->child; child != nullptr; child = child->next) {
      writer.key(child->string);
      write(writer, child);
    }
    writer.end_object();
  } else if (cJSON_IsArray(node) != 0) {
    writer.begin_array();
    for (const cJSON* child = node->child; child != nullptr; child = child->next) write(writer, child);
    writer.end_array();
  } else if (cJSON_IsString(node) != 0) {
    writer.value(std::string_view{node->valuestring});
  } else if (cJSON_IsNumber(node) != 0) {
    writer.value(node->valuedouble);
  } else if (cJSON_IsBool(node) != 0) {
    writer.value(cJSON_IsTrue(node) != 0);
  } else {
    writer.null();
  }
}

}  // namespace

struct Json::Document {
  explicit Document(cJSON* tree) : root{tree} {}
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;
  ~Document() { cJSON_Delete(root); }

  cJSON* root;
};

Json::Json(std::shared_ptr<Document> document, const void* node)
    : document_{std::move(document)}, node_{node} {}

Result<Json> Json::parse(std::string_view text) {
  TRY(check_json_grammar(
      text, {.text_bytes_max = kTextBytesMax, .values_max = kValuesMax, .depth_max = kDepthMax}));
  cJSON* const root = cJSON_ParseWithLength(text.data(), text.size());
  if (root == nullptr) {
    return Error{ErrorKind::Malformed, "JSON: not understood, or memory is short"};
  }
  auto document = std::make_shared<Document>(root);
  TRY(refuse_equal_keys(root));
  return Json{std::move(document), root};
}

bool Json::is_object() const { return cJSON_IsObject(as_node(node_)) != 0; }
bool Json::is_array() const { return cJSON_IsArray(as_node(node_)) != 0; }
bool Json::is_null() const { return cJSON_IsNull(as_node(node_)) != 0; }

std::optional<std::string> Json::string() const {
  if (cJSON_IsString(as_node(node_)) == 0) return std::nullopt;
  return std::string{as_node(node_)->valuestring};
}

std::optional<double> Json::number() const {
  if (cJSON_IsNumber(as_node(node_)) == 0) return std::nullopt;
  const double number = as_node(node_)->valuedouble;
  if (!std::isfinite(number)) return std::nullopt;  // 1e999
  return number;
}

std::optional<std::int64_t> Json::integer() const {
  const auto value = number();
  // 2^53 itself is left out: the text may have been 2^53 + 1, which a double rounds to it.
  constexpr double kEnd = 9007199254740992.0;
  if (!value || std::trunc(*value) != *value || std::fabs(*value) >= kEnd) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<bool> Json::boolean() const {
  if (cJSON_IsBool(as_node(node_)) == 0) return std::nullopt;
  return cJSON_IsTrue(as_node(node_)) != 0;
}

std::optional<Json> Json::at(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  for (const cJSON* child = as_node(node_)->child; child != nullptr; child = child->next) {
    if (key == child->string) return Json{document_, child};
  }
  return std::nullopt;
}

std::vector<Json> Json::elements() const {
  std::vector<Json> elements;
  if (!is_array() && !is_object()) return elements;
  for (const cJSON* child = as_node(node_)->child; child != nullptr; child = child->next) {
    elements.push_back(Json{document_, child});
  }
  return elements;
}

std::vector<std::string> Json::keys() const {
  std::vector<std::string> keys;
  if (!is_object()) return keys;
  for (const cJSON* child = as_node(node_)->child; child != nullptr; child = child->next) {
    keys.emplace_back(child->string);
  }
  return keys;
}

std::string Json::text() const {
  JsonWriter writer;
  write(writer, as_node(node_));
  return std::move(writer).take();
}

}  // namespace fieldpost
