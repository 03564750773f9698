// SPDX-License-Identifier: Apache-2.0
// A few bytes that outlive the process: read once at the start, written off the loop.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "platform/event_loop.hpp"
#include "platform/log.hpp"
#include "platform/worker.hpp"

namespace fieldpost {

class KeptText {
 public:
  /// `loop` and `log` are lent and outlive it. Without a file nothing is kept.
  KeptText(EventLoop& loop, Log& log, std::string file);

  /// Empty if there is nothing, or nothing that can be read.
  /// Blocks: for a read of the disk
  std::string read() const;

  /// False when the disk holds up earlier ones; a failure is told in the log, at level debug.
  bool keep(std::string text);

  /// Blocks: until what was given is written
  void stop();

  static constexpr std::size_t kBytesMax = 4'096;

 private:
  Log& log_;
  std::string file_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace fieldpost
