// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, as lines a person can act on. All problems are collected and
// reported together: mending one typo a run is no way to spend an evening.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fieldpost {

/// A line of one of the files that a configuration is read from, as one number: files are laid one upon
/// the other, and a value must still know where it was written. Line 0 is the file as a whole.
constexpr int kLinesOfAFile = 1 << 21;  // more than kTomlBytesMax can hold
constexpr int place_in(int file, int line) { return file * kLinesOfAFile + line; }

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

  /// `file` is number 0.
  explicit Problems(std::string file) : files_{std::move(file)} {}

  /// A further file (or environment variable); its number for place_in().
  int add_file(std::string name);
  /// Their names, in the order of their numbers.
  const std::vector<std::string>& files() const noexcept { return files_; }

  void error(int place, std::string sentence);
  void warning(int place, std::string sentence);
  std::size_t errors() const noexcept { return errors_; }
  /// Ordered by file and line; errors and warnings mixed, as a compiler does.
  std::vector<Problem> take() &&;

 private:
  struct Placed {
    int place;
    Problem problem;
  };
  void add(Problem::Severity severity, int place, std::string sentence);

  std::vector<std::string> files_;
  std::vector<Placed> problems_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace fieldpost
