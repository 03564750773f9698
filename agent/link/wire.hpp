// SPDX-License-Identifier: Apache-2.0
// One non-blocking stream socket on the event loop with a bounded queue each way. Reading stops
// when its queue is full and goes on when its owner has taken something: that is all the
// back-pressure there is, and it reaches from the broker's socket to Paho's and back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "agent/link/byte_queue.hpp"
#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class Wire {
 public:
  struct Bounds {
    std::size_t incoming_bytes_max;
    std::size_t outgoing_bytes_max;
  };

  /// `loop` is lent and outlives the wire. Nothing is read before the first pump().
  Wire(EventLoop& loop, FileDescriptor socket, Bounds bounds);

  ByteQueue& incoming() noexcept { return incoming_; }
  ByteQueue& outgoing() noexcept { return outgoing_; }
  const ByteQueue& outgoing() const noexcept { return outgoing_; }

  /// Runs when bytes came, when queued bytes left, or when the wire ended. The wire may be
  /// destroyed in it.
  void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

  /// Sends what can be sent now and watches for what its queues have room for. To be called after
  /// every change to a queue; never calls the listener.
  void pump();

  /// Tells the peer that nothing more will come, once all that waits has been sent.
  void finish();
  bool finished() const noexcept { return finish_ == Finish::done; }

  /// The peer sent its last byte (what came before it may still wait in incoming()).
  bool peer_finished() const noexcept { return peer_finished_; }
  /// Why the socket cannot be used any more.
  const std::optional<Error>& failure() const noexcept { return failure_; }

  std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  std::uint64_t bytes_received() const noexcept { return bytes_received_; }
  /// Bytes handed to the kernel that the peer's kernel has not confirmed (SIOCOUTQ).
  std::uint64_t bytes_unconfirmed() const;
  int descriptor() const noexcept { return socket_.get(); }

 private:
  enum class Finish : unsigned char { no, wanted, done };

  void receive();
  void send();
  void watch();
  void fail(const char* what, int error_number);

  EventLoop& loop_;
  FileDescriptor socket_;
  ByteQueue incoming_;
  ByteQueue outgoing_;
  std::function<void()> listener_;
  Finish finish_ = Finish::no;
  bool peer_finished_ = false;
  std::optional<Error> failure_;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  Subscription readable_;  // after socket_: a watch must not outlive its descriptor
  Subscription writable_;
};

}  // namespace fieldpost
