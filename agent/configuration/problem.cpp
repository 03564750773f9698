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

int Problems::add_file(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<int>(files_.size()) - 1;
}

void Problems::error(int place, std::string sentence) {
  ++errors_;
  add(Problem::Severity::error, place, std::move(sentence));
}

void Problems::warning(int place, std::string sentence) {
  add(Problem::Severity::warning, place, std::move(sentence));
}

void Problems::add(Problem::Severity severity, int place, std::string sentence) {
  if (problems_.size() >= kProblemsMax) {
    ++left_out_;
    return;
  }
  const auto file = static_cast<std::size_t>(place / kLinesOfAFile);
  problems_.push_back({place, {severity, files_[file], place % kLinesOfAFile, std::move(sentence)}});
}

std::vector<Problem> Problems::take() && {
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Placed& a, const Placed& b) { return a.place < b.place; });
  std::vector<Problem> result;
  for (Placed& placed : problems_) result.push_back(std::move(placed.problem));
  if (left_out_ > 0) {
    result.push_back({errors_ > 0 ? Problem::Severity::error : Problem::Severity::warning, files_[0], 0,
                      "and " + std::to_string(left_out_) + " more"});
  }
  return result;
}

}  // namespace fieldpost
