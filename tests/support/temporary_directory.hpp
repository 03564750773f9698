// SPDX-License-Identifier: Apache-2.0
// A directory of its own for one test, gone when the test ends.
#pragma once

#include <string>
#include <string_view>

namespace fieldpost {

class TemporaryDirectory {
 public:
  /// Aborts the test program when none can be made: no test could go on.
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const noexcept { return path_; }
  /// `path()` + "/" + `name`.
  std::string file(std::string_view name) const;

  /// Writes a file below it, with the directories on the way; replaces what was there.
  void write(std::string_view name, std::string_view content) const;
  /// The file's content; empty when there is none.
  std::string read(std::string_view name) const;
  bool exists(std::string_view name) const;

 private:
  std::string path_;
};

}  // namespace fieldpost
