// SPDX-License-Identifier: Apache-2.0
// A fixed phrase, then key=value fields, one line, where an event is handled.
// error = a person must act; warn = we coped; info = a change of state, seldom; debug = the rest.
// Repeats of one phrase from one place are folded. No secrets, no payloads.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "platform/clock.hpp"

namespace fieldpost {

enum class LogLevel : unsigned char { error, warn, info, debug };

/// One key=value pair; values with blanks or quotes are quoted.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key{k}, value{v} {}
  LogField(std::string_view k, const char* v) : key{k}, value{v} {}
  LogField(std::string_view k, const std::string& v) : key{k}, value{v} {}
  LogField(std::string_view k, bool v) : key{k}, value{v ? "true" : "false"} {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view k, T v) : key{k}, value{std::to_string(v)} {}
  LogField(std::string_view k, double v);
};

/// Passed by reference to whoever logs; safe from any thread.
class Log {
 public:
  /// Receives one finished line without its newline.
  using Output = std::function<void(LogLevel, std::string_view line)>;

  /// Lines above `level` are dropped. `clock` is lent. Output defaults to standard error, with
  /// "<N>" syslog priorities in front when it is the journal (JOURNAL_STREAM is set).
  Log(const Clock& clock, LogLevel level, Output output = {});
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  using Fields = std::initializer_list<LogField>;
  void error(std::string_view phrase, Fields fields = {}) { write(LogLevel::error, phrase, fields); }
  void warn(std::string_view phrase, Fields fields = {}) { write(LogLevel::warn, phrase, fields); }
  void info(std::string_view phrase, Fields fields = {}) { write(LogLevel::info, phrase, fields); }
  void debug(std::string_view phrase, Fields fields = {}) { write(LogLevel::debug, phrase, fields); }
  bool enabled(LogLevel level) const noexcept { return level <= level_; }

  /// A phrase logged more often than this within kFoldWindow is folded into "repeated=N".
  static constexpr int kRepeatsShown = 3;
  static constexpr seconds kFoldWindow{60};

 private:
  void write(LogLevel level, std::string_view phrase, Fields fields);

  struct Folding;
  const Clock& clock_;
  LogLevel level_;
  Output output_;
  Folding* folding_;
};

}  // namespace fieldpost
