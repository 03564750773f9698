// SPDX-License-Identifier: Apache-2.0
// What turns plaintext into bytes for the wire and back. It touches no socket: it works between the
// two queues of a Wire, so it can be tested, fuzzed and proxied without one.
#pragma once

#include <cstdint>
#include <span>

#include "agent/link/byte_queue.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class RecordLayer {
 public:
  enum class Read : std::uint8_t {
    wants_more,  ///< nothing more can be read before more bytes come
    full,        ///< the plaintext queue is full; there may be more
    closed,      ///< the peer closed in order
  };

  virtual ~RecordLayer() = default;

  /// Bytes of plaintext that write() takes at most.
  virtual std::size_t write_max() const = 0;
  /// Turns all of `plaintext` into records in the outgoing queue. Never blocks, never takes a part.
  virtual Result<void> write(std::span<const std::uint8_t> plaintext) = 0;
  /// Turns records of the incoming queue into plaintext, as much as fits.
  virtual Result<Read> read(ByteQueue& plaintext) = 0;
  /// Puts a goodbye into the outgoing queue, where the protocol has one.
  virtual void close() = 0;
};

/// No protection at all: mqtt:// and ws://. Queues are lent and outlive it.
class PlainRecords final : public RecordLayer {
 public:
  PlainRecords(ByteQueue& incoming, ByteQueue& outgoing) : incoming_{incoming}, outgoing_{outgoing} {}

  std::size_t write_max() const override { return outgoing_.room(); }
  Result<void> write(std::span<const std::uint8_t> plaintext) override {
    if (outgoing_.push(plaintext) != plaintext.size()) return Error{ErrorKind::Bug, "plain records: queue overrun"};
    return {};
  }
  Result<Read> read(ByteQueue& plaintext) override {
    incoming_.pop(plaintext.push(incoming_.front()));
    return incoming_.empty() ? Read::wants_more : Read::full;
  }
  void close() override {}

 private:
  ByteQueue& incoming_;
  ByteQueue& outgoing_;
};

}  // namespace fieldpost
