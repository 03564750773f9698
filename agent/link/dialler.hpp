// SPDX-License-Identifier: Apache-2.0
// Gets a TCP connection to the first of a host's addresses that takes one: each in turn, each with
// its share of the time that is left, so that one dead address cannot use it all up.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/link/socket_address.hpp"
#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class Dialler {
 public:
  struct Connected {
    FileDescriptor socket;
    SocketAddress address;
  };
  using Done = std::function<void(Result<Connected>)>;

  /// `loop` is lent and outlives the dialler. Destroying it gives up.
  explicit Dialler(EventLoop& loop) : loop_{loop} {}

  /// `done` runs on the loop, later, once. `name` is what people call the peer ("broker.example:8883").
  /// Errors: Unavailable  refused, or unreachable
  ///         Timeout      nobody answered
  void dial(std::string name, std::vector<SocketAddress> addresses, nanoseconds time, Done done);

 private:
  void try_next();
  void attempt_ended(int error_number);
  void give(Result<Connected> result);
  std::string who() const;

  EventLoop& loop_;
  std::string name_;
  std::vector<SocketAddress> addresses_;
  std::size_t index_ = 0;
  BootTime deadline_;
  Done done_;
  Error last_{ErrorKind::Bug, "no address to dial"};
  FileDescriptor socket_;
  Subscription writable_;
  Subscription timer_;
};

}  // namespace fieldpost
