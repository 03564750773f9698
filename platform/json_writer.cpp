// SPDX-License-Identifier: Apache-2.0
// Writing JSON: text is appended in order; the only state is which brackets are open.
#include <cassert>
#include <charconv>
#include <cmath>

#include "platform/json.hpp"
#include "platform/number.hpp"
#include "platform/utf8.hpp"

namespace fieldpost {
namespace {

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  std::size_t clean_from = 0;  // copied in runs: most strings need no escape at all
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = byte < 0x80 ? 0 : utf8_character_bytes(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    out += text.substr(clean_from, i - clean_from);
    if (byte >= 0x80) {
      out += "\xEF\xBF\xBD";  // U+FFFD for a byte of no character
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0x0FU];
    }
    clean_from = ++i;
  }
  out += text.substr(clean_from);
  out += '"';
}

template <typename Integer>
void append_integer(std::string& out, Integer number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);
  out.append(text, end.ptr);
}

}  // namespace

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  assert((open_.empty() ? text_.empty() : open_.back() == '[') && "a value where a key belongs");
  if (!first_) text_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  text_ += '{';
  open_ += '{';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  assert(!open_.empty() && open_.back() == '{' && !after_key_ && "no object is open here");
  text_ += '}';
  open_.pop_back();
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  text_ += '[';
  open_ += '[';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  assert(!open_.empty() && open_.back() == '[' && "no array is open here");
  text_ += ']';
  open_.pop_back();
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  assert(!open_.empty() && open_.back() == '{' && !after_key_ && "a key outside an object");
  if (!first_) text_ += ',';
  first_ = false;
  append_quoted(text_, name);
  text_ += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  append_quoted(text_, text);
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  separate();
  text_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  append_number(text_, number);
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  append_integer(text_, number);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  append_integer(text_, number);
  return *this;
}

JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

}  // namespace fieldpost
