// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, as lines a person can act on. All problems are collected and
// reported together: mending one typo a run is no way to spend an evening.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fieldpost {

struct Problem {
  enum class Severity : unsigned char { error, warning };
  Severity severity = Severity::error;
  std::string file;
  int line = 0;  ///< counts from 1; 0: the file as a whole
  std::string sentence;
};

/// "gateway.toml:14: unknown key ..."; warnings say so after the place.
std::string to_text(const Problem& problem);

class Problems {
 public:
  /// More than this are cut off, and the last one says how many.
  static constexpr std::size_t kProblemsMax = 100;

  explicit Problems(std::string file) : file_{std::move(file)} {}

  void error(int line, std::string sentence);
  void warning(int line, std::string sentence);
  std::size_t errors() const noexcept { return errors_; }
  /// Ordered by line; errors and warnings mixed, as a compiler does.
  std::vector<Problem> take() &&;

 private:
  void add(Problem::Severity severity, int line, std::string sentence);

  std::string file_;
  std::vector<Problem> problems_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace fieldpost
