// SPDX-License-Identifier: Apache-2.0
// Carries bytes between Paho's end of the socket pair (plaintext) and the broker (records), both
// ways, on the event loop.
//
// Paho's end is read greedily into a queue that holds a whole in-flight window, because Paho takes
// up a write that blocked only once a second. Towards the broker only a little is enciphered ahead
// of what the network takes, so that memory holds a window once and not twice.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "agent/link/packet_guard.hpp"
#include "agent/link/record_layer.hpp"
#include "agent/link/websocket_host.hpp"
#include "agent/link/wire.hpp"

namespace fieldpost {

class Relay {
 public:
  /// How it ended. No error: both sides closed in order.
  struct End {
    bool by_peer = false;  ///< the broker closed or broke first, not Paho
    std::optional<Error> error;
  };

  /// `records` works on `broker`'s queues. Without a guard anything passes.
  Relay(std::unique_ptr<Wire> paho, std::unique_ptr<Wire> broker, std::unique_ptr<RecordLayer> records,
        std::optional<WebSocketHost> host, std::optional<PacketGuard> guard = std::nullopt);

  /// A SUBSCRIBE is about to come from Paho.
  void expect_subscription() {
    if (guard_) guard_->expect_subscription();
  }

  /// Begins to carry. `progress` runs after each step; `ended` runs once, and the relay may be
  /// destroyed in it.
  void start(std::function<void(End)> ended);

  /// Sends what waits and closes towards the broker, even if Paho has not closed its end.
  void close_in_order();

  /// The peer can read no byte of a record before its last has arrived: on a slow link a long one holds up all that is in it.
  void set_record_bytes(double link_bytes_per_second);
  static constexpr std::size_t kRecordBytesMin = 1'400;  ///< a packet
  static constexpr std::size_t kRecordBytesMax = 16U << 10U;

  std::uint64_t bytes_sent() const noexcept { return broker_->bytes_sent(); }
  std::uint64_t bytes_received() const noexcept { return broker_->bytes_received(); }
  /// What is still on its way: taken from Paho and not yet confirmed by the broker's kernel.
  std::uint64_t bytes_underway() const;
  /// Bytes that the broker's kernel has confirmed.
  std::uint64_t bytes_delivered() const { return broker_->bytes_sent() - broker_->bytes_unconfirmed(); }

 private:
  void pump();
  bool carry_up();
  bool carry_down();
  void finish_up_when_drained();
  void end(End how);

  std::unique_ptr<Wire> paho_;
  std::unique_ptr<Wire> broker_;
  std::unique_ptr<RecordLayer> records_;
  std::optional<WebSocketHost> host_;
  std::optional<PacketGuard> guard_;
  std::function<void(End)> ended_;
  std::size_t record_bytes_ = kRecordBytesMin;
  bool goodbye_said_ = false;
  bool closing_ = false;
  bool broker_closed_ = false;
};

}  // namespace fieldpost
