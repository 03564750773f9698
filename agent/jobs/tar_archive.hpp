// SPDX-License-Identifier: Apache-2.0
// A tar archive in memory, of a few small files.
// Source: POSIX.1-1988 ustar, as every tar reads it
#pragma once

#include <string>
#include <string_view>

#include "platform/clock.hpp"

namespace fieldpost {

class TarArchive {
 public:
  explicit TarArchive(UtcTime time) : time_{time} {}

  /// `name` is cut to 99 characters.
  void add(std::string_view name, std::string_view content);
  std::string take() &&;

 private:
  UtcTime time_;
  std::string bytes_;
};

}  // namespace fieldpost
