// SPDX-License-Identifier: Apache-2.0
// A first-in first-out queue of bytes with a hard upper bound, in one piece of memory so that its
// front can be handed to send() and to the cipher as it lies. Everything between Paho and the wire
// waits in one of these, which is why a stalled network cannot grow memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fieldpost {

class ByteQueue {
 public:
  explicit ByteQueue(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  std::size_t size() const noexcept { return end_ - head_; }
  bool empty() const noexcept { return size() == 0; }
  std::size_t room() const noexcept { return bytes_max_ - size(); }
  std::size_t bytes_max() const noexcept { return bytes_max_; }

  /// Appends as much as fits and returns how much that was.
  std::size_t push(std::span<const std::uint8_t> bytes);

  /// Up to `most` bytes to be read into (fewer when the queue is nearly full), to be followed by
  /// commit(). Anything else that changes the queue makes the span invalid.
  std::span<std::uint8_t> reserve(std::size_t most);
  /// Keeps the first `count` bytes of what reserve() gave, drops the rest.
  void commit(std::size_t count);

  /// All bytes that wait, oldest first; invalid after the queue changes.
  std::span<const std::uint8_t> front() const noexcept { return {memory_.get() + head_, size()}; }
  void pop(std::size_t count);
  void clear() { pop(size()); }

 private:
  void make_room(std::size_t count);
  void shrink_when_empty();

  std::size_t bytes_max_;
  std::unique_ptr<std::uint8_t[]> memory_;  ///< not a vector, which would write zeros where recv() is about to write
  std::size_t capacity_ = 0;
  std::size_t head_ = 0;
  std::size_t end_ = 0;
  std::size_t reserved_ = 0;
};

}  // namespace fieldpost
