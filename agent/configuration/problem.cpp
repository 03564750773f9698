// SPDX-License-Identifier: Apache-2.0
// Collecting problems, with a bound: a binary file given by mistake must not print a book.
#include "agent/configuration/problem.hpp"

#include <algorithm>

namespace fieldpost {

std::string to_text(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  text += problem.severity == Problem::Severity::warning ? ": warning: " : ": ";
  return text + problem.sentence;
}

void Problems::error(int line, std::string sentence) {
  ++errors_;
  add(Problem::Severity::error, line, std::move(sentence));
}

void Problems::warning(int line, std::string sentence) {
  add(Problem::Severity::warning, line, std::move(sentence));
}

void Problems::add(Problem::Severity severity, int line, std::string sentence) {
  if (problems_.size() >= kProblemsMax) {
    ++left_out_;
    return;
  }
  problems_.push_back({severity, file_, line, std::move(sentence)});
}

std::vector<Problem> Problems::take() && {
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  if (left_out_ > 0) {
    problems_.push_back({errors_ > 0 ? Problem::Severity::error : Problem::Severity::warning, file_,
                         0, "and " + std::to_string(left_out_) + " more"});
  }
  return std::move(problems_);
}

}  // namespace fieldpost
