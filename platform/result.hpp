// SPDX-License-Identifier: Apache-2.0
// Result<T>: the value, or an Error made of a kind (for code) and a sentence (for people).
// Everything outside our control can fail; functions that touch it return a Result, and each
// caller adds one phrase of context, so that the final message reads from outside in.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

namespace fieldpost {

/// Code branches on kinds only; the sentence is for people.
enum class ErrorKind : unsigned char {
  NotPresent,   ///< the thing is not there; absent is not broken
  Io,           ///< the operating system or a bus refused; the sentence has errno's text
  Malformed,    ///< bytes from outside do not parse
  Timeout,      ///< nobody answered in time
  Unavailable,  ///< it exists but cannot serve now; trying again later may help
  OutOfRange,   ///< a value outside what is allowed
  Full,         ///< a bound was reached (disk, quota, queue)
  Denied,       ///< permission, certificate or policy says no
  Bug,          ///< our own mistake
};

/// The kind's name in lower case words, for logs ("not present").
std::string_view to_string(ErrorKind kind) noexcept;

class Error {
 public:
  Error(ErrorKind kind, std::string sentence) : kind_{kind}, sentence_{std::move(sentence)} {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& sentence() const noexcept { return sentence_; }

  /// The same error with "phrase: " in front of its sentence.
  [[nodiscard]] Error with_context(std::string_view phrase) const& {
    return Error{kind_, std::string{phrase} + ": " + sentence_};
  }

 private:
  ErrorKind kind_;
  std::string sentence_;
};

/// An error of kind Io (or NotPresent, Denied, Full, Unavailable, Timeout where errno says so), with
/// errno's text:
/// `errno_error("open /proc/stat", errno)`.
Error errno_error(std::string_view what, int error_number);

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  // NOLINTNEXTLINE(google-explicit-constructor): `return Error{...}` is the point of the type
  Result(Error error) : tl::expected<T, Error>{tl::unexpect, std::move(error)} {}

  Result(const Result&) = default;
  Result(Result&&) noexcept = default;
  ~Result() = default;
  Result& operator=(const Result&) = default;
  /// tl::expected 1.0.0 copies here when exceptions are off, which a move-only value cannot.
  Result& operator=(Result&& other) noexcept {
    if (this != &other) {
      std::destroy_at(this);
      std::construct_at(this, std::move(other));
    }
    return *this;
  }

  /// The same result; an error gains "phrase: " in front.
  [[nodiscard]] Result with_context(std::string_view phrase) && {
    if (this->has_value()) return std::move(*this);
    return Result{this->error().with_context(phrase)};
  }
};

/// The value of a result known to hold one; TRY's second half.
template <typename T>
T take_value(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace fieldpost

/// `auto x = TRY(f());` gives the value, or returns f's error from the enclosing function. A GNU
/// statement expression: both compilers we support have it, and no other form keeps call sites short.
/// Variadic, because a comma inside braces would else end the argument.
#define TRY(...)                                             \
  __extension__({                                            \
    auto try_result_ = (__VA_ARGS__);                        \
    if (!try_result_) return std::move(try_result_).error(); \
    ::fieldpost::take_value(std::move(try_result_));         \
  })
