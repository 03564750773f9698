// SPDX-License-Identifier: Apache-2.0
// A consistent copy of an outbox that a running agent holds exclusively, in a directory of its own that
// goes with the object.
#pragma once

#include <string>
#include <utility>

#include "platform/result.hpp"

namespace fieldpost {

class OutboxSnapshot {
 public:
  /// A database and its log, copied while the agent writes, fit together if the log was not begun anew
  /// meanwhile: then the log holds every page that changed. Its header tells; if it changed, the copy is
  /// made again, kAttemptsMax times.
  static constexpr int kAttemptsMax = 5;

  /// Copies outbox.db and its log out of `directory` into a new directory below $TMPDIR (or /var/tmp).
  ///
  /// Errors:   NotPresent, Denied, Full (no room for the copy), Io, Unavailable (it changed too fast)
  /// Blocks:   as long as copying takes: at most the quota's bytes
  /// Requires: another process than the agent's, whose locks closing a second descriptor would drop
  static Result<OutboxSnapshot> take(const std::string& directory);

  OutboxSnapshot(OutboxSnapshot&& other) noexcept : directory_{std::exchange(other.directory_, {})} {}
  OutboxSnapshot& operator=(OutboxSnapshot&& other) noexcept {
    std::swap(directory_, other.directory_);
    return *this;
  }
  OutboxSnapshot(const OutboxSnapshot&) = delete;
  OutboxSnapshot& operator=(const OutboxSnapshot&) = delete;
  /// Removes the copy.
  ~OutboxSnapshot();

  std::string path() const { return directory_ + "/outbox.db"; }

 private:
  explicit OutboxSnapshot(std::string directory) : directory_{std::move(directory)} {}
  std::string directory_;
};

}  // namespace fieldpost
