// SPDX-License-Identifier: Apache-2.0
// Space kept in hand. On a disk that others have filled SQLite can neither insert nor delete; giving
// the reserve back to the file system lets it write its log, so that acknowledged segments can go and
// make room inside the database.
#pragma once

#include <cstdint>
#include <string>

#include "platform/result.hpp"

namespace fieldpost {

class ReserveFile {
 public:
  ReserveFile(std::string path, std::int64_t bytes) : path_{std::move(path)}, bytes_{bytes} {}

  /// Makes it if there is room for twice its size: taking the last bytes would bring about what it is
  /// there to prevent. True if it is there now.
  bool take() const;

  /// Gives the space back. True if there was any.
  bool release() const;

 private:
  std::string path_;
  std::int64_t bytes_;
};

}  // namespace fieldpost
