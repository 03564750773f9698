// SPDX-License-Identifier: Apache-2.0
// See byte_queue.hpp. The head moves forward as bytes leave; the rest moves down only once half
// of the memory lies behind it, so each byte is copied about once on average. Memory of a burst is
// given back when the queue runs empty.
#include "agent/link/byte_queue.hpp"

#include <algorithm>
#include <cassert>

namespace fieldpost {

namespace {

/// What an idle connection may keep; more is returned to the allocator.
constexpr std::size_t kKeptWhenEmpty = 4U << 10U;

}  // namespace

std::size_t ByteQueue::push(std::span<const std::uint8_t> bytes) {
  const std::size_t count = std::min(bytes.size(), room());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

std::span<std::uint8_t> ByteQueue::reserve(std::size_t most) {
  assert(reserved_ == 0);
  reserved_ = std::min(most, room());
  bytes_.resize(bytes_.size() + reserved_);
  return std::span{bytes_}.last(reserved_);
}

void ByteQueue::commit(std::size_t count) {
  assert(count <= reserved_);
  bytes_.resize(bytes_.size() - (reserved_ - count));
  reserved_ = 0;
}

void ByteQueue::pop(std::size_t count) {
  assert(count <= size());
  head_ += count;
  if (head_ == bytes_.size()) {
    head_ = 0;
    bytes_.clear();
    if (bytes_.capacity() > kKeptWhenEmpty) bytes_.shrink_to_fit();
  } else if (head_ > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

}  // namespace fieldpost
