// SPDX-License-Identifier: Apache-2.0
// Reads words and numbers out of the text of a /proc or /sys file, in one pass and without copies:
// the hot path of every driver. In the header so that it is inlined.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace fieldpost {

class TextScanner {
 public:
  explicit TextScanner(std::string_view text) noexcept
      : at_{text.data()}, end_{text.data() + text.size()} {}

  bool at_end() const noexcept { return at_ == end_; }

  /// Goes past one character if it is the next.
  bool skip(char c) noexcept {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool skip(std::string_view text) noexcept {
    if (static_cast<std::size_t>(end_ - at_) < text.size() ||
        std::memcmp(at_, text.data(), text.size()) != 0) {
      return false;
    }
    at_ += text.size();
    return true;
  }

  void skip_blanks() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  }

  /// Goes to the first character of the next line, or to the end.
  void skip_line() noexcept {
    const auto* newline =
        static_cast<const char*>(std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_)));
    at_ = newline == nullptr ? end_ : newline + 1;
  }

  /// Characters up to the next blank or end of line, after blanks. May be empty.
  std::string_view word() noexcept {
    skip_blanks();
    const char* start = at_;
    while (at_ != end_ && *at_ != ' ' && *at_ != '\t' && *at_ != '\n') ++at_;
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  /// Characters up to `stop`, which is gone past; nothing (and no move) if the line has none.
  std::optional<std::string_view> word_until(char stop) noexcept {
    const auto* found =
        static_cast<const char*>(std::memchr(at_, stop, static_cast<std::size_t>(end_ - at_)));
    if (found == nullptr) return std::nullopt;
    const std::string_view word{at_, static_cast<std::size_t>(found - at_)};
    if (word.find('\n') != std::string_view::npos) return std::nullopt;
    at_ = found + 1;
    return word;
  }

  /// A whole number of decimal digits, after blanks. Nothing if there is none, if it does not fit
  /// into 64 bits, or if it runs up to the end of the text: a /proc text ends with a line feed, so
  /// such a number may have been cut in two.
  std::optional<std::uint64_t> number() noexcept {
    skip_blanks();
    const char* start = at_;
    std::uint64_t value = 0;
    while (at_ != end_) {
      const auto digit = static_cast<unsigned>(*at_) - unsigned{'0'};
      if (digit > 9) break;
      value = value * 10 + digit;
      ++at_;
    }
    const auto digits = at_ - start;
    if (digits == 0 || at_ == end_) return std::nullopt;
    if (digits > kDigitsSafe) return checked({start, static_cast<std::size_t>(digits)});
    return value;
  }

  /// A number such as "0.42", after blanks; at most 15 digits in all, so that the double is the
  /// nearest one (Clinger: an exact integer divided by an exact power of ten).
  std::optional<double> decimal() noexcept {
    const auto whole = number();
    if (!whole) return std::nullopt;
    if (!skip('.')) return static_cast<double>(*whole);
    const char* start = at_;
    const auto fraction = number();
    const auto digits = static_cast<std::size_t>(at_ - start);
    if (!fraction || digits >= kPowersOfTen.size()) return std::nullopt;
    const double scale = kPowersOfTen[digits];
    return (static_cast<double>(*whole) * scale + static_cast<double>(*fraction)) / scale;
  }

 private:
  static constexpr std::ptrdiff_t kDigitsSafe = 19;
  static constexpr std::array<double, 10> kPowersOfTen{1,   1e1, 1e2, 1e3, 1e4,
                                                       1e5, 1e6, 1e7, 1e8, 1e9};

  static std::optional<std::uint64_t> checked(std::string_view digits) noexcept {
    std::uint64_t value = 0;
    for (const char c : digits) {
      const auto digit = static_cast<unsigned>(c - '0');
      if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
    }
    return value;
  }

  const char* at_;
  const char* end_;
};

/// The one whole number, perhaps negative, of a sysfs attribute; a missing line feed is forgiven,
/// anything else beside the number is not ("" is not 0: an unplugged 1-wire sensor reads as "").
inline std::optional<std::int64_t> attribute_number(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

}  // namespace fieldpost
