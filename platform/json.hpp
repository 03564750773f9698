// SPDX-License-Identifier: Apache-2.0
// Reading JSON from outside (checked against RFC 8259, bounded in size, depth and values; equal keys
// in one object are refused) and writing our own. Writing goes straight to text: a message of five
// thousand numbers needs no tree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/result.hpp"

namespace fieldpost {

/// A parsed document, or a part of one. Parts share the document's lifetime: keep the document.
class Json {
 public:
  static constexpr std::size_t kTextBytesMax = 1U << 20U;
  static constexpr int kDepthMax = 32;
  /// Scalars, arrays and objects together. A value of the tree costs about 100 bytes of memory.
  static constexpr std::size_t kValuesMax = 20'000;

  /// Errors: Malformed (with the byte offset), OutOfRange (a bound is passed)
  static Result<Json> parse(std::string_view text);

  bool is_object() const;
  bool is_array() const;
  bool is_null() const;
  std::optional<std::string> string() const;
  std::optional<double> number() const;
  /// Whole numbers that a double holds exactly (|n| < 2^53); larger ones travel as strings.
  std::optional<std::int64_t> integer() const;
  std::optional<bool> boolean() const;

  /// A member of an object; nothing if absent or not an object.
  std::optional<Json> at(std::string_view key) const;
  /// Elements of an array (or members of an object, with their keys).
  std::vector<Json> elements() const;
  std::vector<std::string> keys() const;

  /// Compact text of this part.
  std::string text() const;

 private:
  struct Document;
  Json(std::shared_ptr<Document> document, const void* node);
  // Shared: parts handed out must keep the tree they point into alive.
  std::shared_ptr<Document> document_;
  const void* node_ = nullptr;
};

/// Writes one JSON value as text, in order. Bytes that are not UTF-8 become U+FFFD. Misuse (a key
/// outside an object) is a Bug and asserts.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(bool flag);
  /// Shortest text that reads back to the same double; NaN and infinities become null.
  JsonWriter& value(double number);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(unsigned number) { return value(static_cast<std::uint64_t>(number)); }
  JsonWriter& null();
  /// A value that is JSON already, such as a part's text(); it is not looked at.
  JsonWriter& raw(std::string_view json);
  template <typename T>
  JsonWriter& member(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }

  std::size_t bytes() const noexcept { return text_.size(); }
  std::string take() && { return std::move(text_); }

 private:
  void separate();
  std::string text_;
  std::string open_;  ///< the brackets that are open, outermost first
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace fieldpost
