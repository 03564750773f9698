// SPDX-License-Identifier: Apache-2.0
// A log whose lines a test can look at.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/log.hpp"

namespace fieldpost {

class CollectingLog {
 public:
  struct Line {
    LogLevel level;
    std::string text;
  };

  /// `clock` is lent and outlives it.
  explicit CollectingLog(const Clock& clock, LogLevel level = LogLevel::debug)
      : log_{clock, level, [this](LogLevel l, std::string_view line) { keep(l, line); }} {}

  Log& log() { return log_; }

  std::vector<Line> lines() const {
    const std::lock_guard lock{mutex_};
    return lines_;
  }

  bool contains(std::string_view part) const { return count(part) > 0; }

  std::size_t count(std::string_view part) const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [part](const Line& line) {
      return line.text.find(part) != std::string::npos;
    }));
  }

  void clear() {
    const std::lock_guard lock{mutex_};
    lines_.clear();
  }

 private:
  void keep(LogLevel level, std::string_view line) {
    const std::lock_guard lock{mutex_};
    lines_.push_back({level, std::string{line}});
  }

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
  Log log_;
};

}  // namespace fieldpost
