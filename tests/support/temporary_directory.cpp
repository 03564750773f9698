// SPDX-License-Identifier: Apache-2.0
// Makes and removes the directory. std::filesystem throws only where asked to; here it is not.
#include "tests/support/temporary_directory.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

namespace fieldpost {

TemporaryDirectory::TemporaryDirectory() {
  std::error_code error;
  path_ = (std::filesystem::temp_directory_path(error) / "fieldpost-test-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a leftover directory in /tmp is no reason to fail a test
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(std::string_view name) const { return path_ + "/" + std::string{name}; }

void TemporaryDirectory::write(std::string_view name, std::string_view content) const {
  const std::filesystem::path target{file(name)};
  std::error_code error;
  std::filesystem::create_directories(target.parent_path(), error);
  std::ofstream stream{target, std::ios::binary | std::ios::trunc};
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  stream.close();
  if (!stream) {
    std::fprintf(stderr, "cannot write %s\n", target.c_str());
    std::abort();
  }
}

std::string TemporaryDirectory::read(std::string_view name) const {
  std::ifstream stream{file(name), std::ios::binary};
  return std::string{std::istreambuf_iterator<char>{stream}, std::istreambuf_iterator<char>{}};
}

bool TemporaryDirectory::exists(std::string_view name) const {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(file(name), error));
}

}  // namespace fieldpost
