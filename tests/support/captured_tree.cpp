// SPDX-License-Identifier: Apache-2.0
// Files, links and directories below a temporary root.
#include "tests/support/captured_tree.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace fieldpost {
namespace {

void check(const std::error_code& error, std::string_view what) {
  if (!error) return;
  std::fprintf(stderr, "captured tree: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               error.message().c_str());
  std::abort();
}

std::string_view without_slash(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

}  // namespace

CapturedTree& CapturedTree::file(std::string_view path, std::string_view content) {
  directory_.write(without_slash(path), content);
  return *this;
}

CapturedTree& CapturedTree::link(std::string_view path, std::string_view target) {
  const std::filesystem::path place{directory_.file(without_slash(path))};
  std::error_code error;
  std::filesystem::create_directories(place.parent_path(), error);
  check(error, path);
  std::filesystem::create_symlink(target, place, error);
  check(error, path);
  return *this;
}

CapturedTree& CapturedTree::directory(std::string_view path) {
  std::error_code error;
  std::filesystem::create_directories(directory_.file(without_slash(path)), error);
  check(error, path);
  return *this;
}

CapturedTree& CapturedTree::remove(std::string_view path) {
  std::error_code error;
  std::filesystem::remove_all(directory_.file(without_slash(path)), error);
  check(error, path);
  return *this;
}

}  // namespace fieldpost
