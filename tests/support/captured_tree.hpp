// SPDX-License-Identifier: Apache-2.0
// A small /proc and /sys made in a test, for drivers:
//
//     CapturedTree captured;
//     captured.file("/proc/loadavg", "0.10 0.20 0.30 1/100 1234\n");
//     captured.link("/sys/class/net/eth0", "../../devices/virtual/net/eth0");
//     auto source = open(captured.tree());
#pragma once

#include <string_view>

#include "platform/file_tree.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

class CapturedTree {
 public:
  /// Paths are absolute, as the kernel documents them; directories on the way are made.
  CapturedTree& file(std::string_view path, std::string_view content);
  CapturedTree& link(std::string_view path, std::string_view target);
  CapturedTree& directory(std::string_view path);
  CapturedTree& remove(std::string_view path);

  const FileTree& tree() const noexcept { return tree_; }

 private:
  TemporaryDirectory directory_;
  FileTree tree_{directory_.path()};
};

}  // namespace fieldpost
