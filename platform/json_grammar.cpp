// SPDX-License-Identifier: Apache-2.0
// One pass over the text; open brackets are kept in a string instead of on the call stack.
#include "platform/json_grammar.hpp"

#include <optional>
#include <string>

#include "platform/utf8.hpp"

namespace fieldpost {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  Scanner(std::string_view text, const JsonBounds& bounds) : text_{text}, bounds_{bounds} {}

  Result<void> run() {
    while (true) {
      TRY(value());
      skip_space();
      // After a value: close what it ends, then expect a comma, or the end of the text.
      while (!open_.empty() && peek() == (open_.back() == '{' ? '}' : ']')) close();
      if (open_.empty()) {
        if (at_ < text_.size()) return wrong("something follows the value");
        return {};
      }
      if (peek() != ',') return wrong(open_.back() == '{' ? "expected , or }" : "expected , or ]");
      ++at_;
      if (open_.back() == '{') TRY(key());
    }
  }

 private:
  Error wrong(std::string_view why) const {
    return Error{ErrorKind::Malformed, "JSON, byte " + std::to_string(at_) + ": " + std::string{why}};
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  void close() {
    open_.pop_back();
    ++at_;
    skip_space();
  }

  /// A scalar or an empty container whole; of any other container what stands before its first
  /// scalar or empty container.
  Result<void> value() {
    while (true) {
      skip_space();
      if (++values_ > bounds_.values_max) {
        return Error{ErrorKind::OutOfRange,
                     "JSON with more than " + std::to_string(bounds_.values_max) + " values"};
      }
      const char c = peek();
      if (c == '"') return string();
      if (c == '-' || is_digit(c)) return number();
      if (c != '{' && c != '[') return word();

      if (static_cast<int>(open_.size()) >= bounds_.depth_max) {
        return Error{ErrorKind::OutOfRange, "JSON nested deeper than " + std::to_string(bounds_.depth_max)};
      }
      open_ += c;
      ++at_;
      skip_space();
      if (peek() == (c == '{' ? '}' : ']')) {
        ++at_;
        open_.pop_back();
        return {};
      }
      if (c == '{') TRY(key());
    }
  }

  Result<void> key() {
    skip_space();
    if (peek() != '"') return wrong("expected a key in quotes");
    TRY(string());
    skip_space();
    if (peek() != ':') return wrong("expected :");
    ++at_;
    return {};
  }

  Result<void> word() {
    for (const std::string_view known : {"true", "false", "null"}) {
      if (text_.substr(at_, known.size()) == known) {
        at_ += known.size();
        return {};
      }
    }
    return wrong("expected a value");
  }

  Result<void> number() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
      if (is_digit(peek())) return wrong("a number does not begin with 0");
    } else {
      TRY(digits());
    }
    if (peek() == '.') {
      ++at_;
      TRY(digits());
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      TRY(digits());
    }
    return {};
  }

  Result<void> digits() {
    if (!is_digit(peek())) return wrong("expected a digit");
    while (is_digit(peek())) ++at_;
    return {};
  }

  Result<void> string() {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return {};
      }
      if (static_cast<unsigned char>(c) < 0x20) return wrong("a control character in a string");
      if (c == '\\') {
        TRY(escape());
        continue;
      }
      const std::size_t length = utf8_character_bytes(text_.substr(at_, 4));
      if (length == 0) return wrong("not UTF-8");
      at_ += length;
    }
    return wrong("a string does not end");
  }

  Result<void> escape() {
    ++at_;
    const char c = peek();
    if (c != 'u') {
      if (std::string_view{"\"\\/bfnrt"}.find(c) == std::string_view::npos || c == '\0') {
        return wrong("an unknown escape");
      }
      ++at_;
      return {};
    }
    const unsigned unit = TRY(code_unit());
    if (unit == 0) return wrong("\\u0000 is not accepted");
    if (unit >= 0xDC00 && unit <= 0xDFFF) return wrong("half of a surrogate pair");
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      if (text_.substr(at_, 2) != "\\u") return wrong("half of a surrogate pair");
      ++at_;
      const unsigned low = TRY(code_unit());
      if (low < 0xDC00 || low > 0xDFFF) return wrong("half of a surrogate pair");
    }
    return {};
  }

  /// The four digits behind the "u" that at_ stands on.
  Result<unsigned> code_unit() {
    unsigned unit = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      const char c = at_ + i < text_.size() ? text_[at_ + i] : '\0';
      unsigned digit = 0;
      if (is_digit(c)) {
        digit = static_cast<unsigned>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<unsigned>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<unsigned>(c - 'A') + 10;
      } else {
        return wrong("expected four hexadecimal digits");
      }
      unit = unit * 16 + digit;
    }
    at_ += 5;
    return unit;
  }

  std::string_view text_;
  const JsonBounds& bounds_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
  std::string open_;
};

}  // namespace

Result<void> check_json_grammar(std::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.text_bytes_max) {
    return Error{ErrorKind::OutOfRange, "JSON of " + std::to_string(text.size()) + " bytes; at most " +
                                            std::to_string(bounds.text_bytes_max) + " are accepted"};
  }
  return Scanner{text, bounds}.run();
}

}  // namespace fieldpost
