// SPDX-License-Identifier: Apache-2.0
// A fixed phrase, then key=value fields, one line, where an event is handled.
// error = a person must act; warn = we coped; info = a change of state, seldom; debug = the rest.
// Repeats are folded, but at debug: same phrase, same first field. Put what the line is about first
// ("source failed" source=cpu error=...), and what changes from line to line after it.
// No secrets, no payloads.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "platform/clock.hpp"

namespace fieldpost {

enum class LogLevel : unsigned char { error, warn, info, debug };

/// One key=value pair; values with blanks or quotes are quoted, control characters escaped.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key{k}, value{v} {}
  LogField(std::string_view k, const char* v) : key{k}, value{v} {}
  LogField(std::string_view k, const std::string& v) : key{k}, value{v} {}
  LogField(std::string_view k, bool v) : key{k}, value{v ? "true" : "false"} {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) LogField(std::string_view k, T v) : key{k}, value{std::to_string(v)} {}
  LogField(std::string_view k, double v);
};

/// Passed by reference to whoever logs; safe from any thread.
class Log {
 public:
  /// Receives one finished line without its newline: "2026-11-20T13:48:27.123Z warn phrase key=value".
  /// Called by one thread at a time; must not log.
  using Output = std::function<void(LogLevel, std::string_view line)>;

  /// Lines above `level` are dropped. `clock` is lent. Output defaults to standard error, with
  /// "<N>" syslog priorities instead of time and level when it is the journal (JOURNAL_STREAM).
  Log(const Clock& clock, LogLevel level, Output output = {});
  /// Says what is still folded.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  using Fields = std::initializer_list<LogField>;
  void error(std::string_view phrase, Fields fields = {}) { write(LogLevel::error, phrase, fields); }
  void warn(std::string_view phrase, Fields fields = {}) { write(LogLevel::warn, phrase, fields); }
  void info(std::string_view phrase, Fields fields = {}) { write(LogLevel::info, phrase, fields); }
  void debug(std::string_view phrase, Fields fields = {}) { write(LogLevel::debug, phrase, fields); }
  bool enabled(LogLevel level) const noexcept { return level <= level_; }

  /// What is logged more often than this within kFoldWindow is folded into one line with
  /// "repeated=N", which comes with the first line logged after the window.
  static constexpr int kRepeatsShown = 3;
  static constexpr seconds kFoldWindow{60};
  /// Different lines watched for repeats at a time; beyond it lines are written unfolded.
  static constexpr std::size_t kPhrasesMax = 256;
  /// A longer value is cut, with "..." behind it.
  static constexpr std::size_t kValueBytesMax = 1024;

 private:
  void write(LogLevel level, std::string_view phrase, Fields fields);
  void emit(LogLevel level, std::string_view body);
  void emit_folded(LogLevel level, const std::string& body, std::uint64_t folded);

  struct Folding;
  const Clock& clock_;
  LogLevel level_;
  Output output_;
  std::unique_ptr<Folding> folding_;
};

}  // namespace fieldpost
