// SPDX-License-Identifier: Apache-2.0
// See byte_queue.hpp. The head moves forward as bytes leave; the rest moves down only when there is no room behind it and half
// of the memory lies before it, so each byte is copied about once on average. Memory of a burst is given back when the queue runs
// empty.
#include "agent/link/byte_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace fieldpost {

namespace {

/// What an idle connection may keep; more is returned to the allocator.
constexpr std::size_t kKeptWhenEmpty = 4U << 10U;

}  // namespace

std::size_t ByteQueue::push(std::span<const std::uint8_t> bytes) {
  const std::size_t count = std::min(bytes.size(), room());
  make_room(count);
  std::copy_n(bytes.begin(), count, memory_.get() + end_);
  end_ += count;
  return count;
}

std::span<std::uint8_t> ByteQueue::reserve(std::size_t most) {
  assert(reserved_ == 0);
  reserved_ = std::min(most, room());
  make_room(reserved_);
  return {memory_.get() + end_, reserved_};
}

void ByteQueue::commit(std::size_t count) {
  assert(count <= reserved_);
  end_ += count;
  reserved_ = 0;
  shrink_when_empty();
}

void ByteQueue::pop(std::size_t count) {
  assert(count <= size());
  head_ += count;
  shrink_when_empty();
}

void ByteQueue::make_room(std::size_t count) {
  if (count <= capacity_ - end_) return;
  const std::size_t kept = size();
  if (kept + count > capacity_ || kept > capacity_ / 2) {
    capacity_ = std::max(kept + count, 2 * kept);
    auto wider = std::make_unique_for_overwrite<std::uint8_t[]>(capacity_);
    std::copy_n(memory_.get() + head_, kept, wider.get());
    memory_ = std::move(wider);
  } else {
    std::copy_n(memory_.get() + head_, kept, memory_.get());
  }
  head_ = 0;
  end_ = kept;
}

void ByteQueue::shrink_when_empty() {
  if (!empty()) return;
  head_ = end_ = 0;
  if (capacity_ <= kKeptWhenEmpty) return;
  memory_.reset();
  capacity_ = 0;
}

}  // namespace fieldpost
