// SPDX-License-Identifier: Apache-2.0
#include "agent/link/byte_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace fieldpost {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text(std::span<const std::uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(ByteQueue, GivesBytesBackInTheirOrder) {
  ByteQueue queue{100};
  EXPECT_EQ(queue.push(bytes("abc")), 3U);
  EXPECT_EQ(queue.push(bytes("def")), 3U);
  queue.pop(2);
  EXPECT_EQ(text(queue.front()), "cdef");
  queue.clear();
  EXPECT_TRUE(queue.empty());
}

TEST(ByteQueue, TakesItsMaximumAndNotOneByteMore) {
  ByteQueue queue{4};
  EXPECT_EQ(queue.push(bytes("abcd")), 4U);
  EXPECT_EQ(queue.room(), 0U);
  EXPECT_EQ(queue.push(bytes("e")), 0U);
  EXPECT_TRUE(queue.reserve(1).empty());
  queue.commit(0);
  queue.pop(1);
  EXPECT_EQ(queue.push(bytes("ef")), 1U);
  EXPECT_EQ(text(queue.front()), "bcde");
}

TEST(ByteQueue, KeepsOnlyWhatWasCommitted) {
  ByteQueue queue{10};
  queue.push(bytes("ab"));
  auto space = queue.reserve(100);
  ASSERT_EQ(space.size(), 8U);
  space[0] = 'c';
  queue.commit(1);
  EXPECT_EQ(text(queue.front()), "abc");
}

TEST(ByteQueue, BehavesLikeADequeUnderRandomUse) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::minstd_rand random{seed};
  ByteQueue queue{1000};
  std::deque<std::uint8_t> model;
  for (int round = 0; round < 20'000; ++round) {
    if (random() % 2 == 0) {
      std::vector<std::uint8_t> some(random() % 300);
      for (auto& byte : some) byte = static_cast<std::uint8_t>(random());
      std::size_t taken = 0;
      if (random() % 2 == 0) {
        taken = queue.push(some);
      } else {
        const auto space = queue.reserve(some.size() + random() % 100);
        taken = std::min(space.size(), some.size());
        std::copy_n(some.begin(), taken, space.begin());
        queue.commit(taken);
      }
      model.insert(model.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(taken));
      ASSERT_LE(model.size(), 1000U);
    } else {
      const std::size_t count = random() % (queue.size() + 1);
      queue.pop(count);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
    }
    ASSERT_TRUE(std::equal(model.begin(), model.end(), queue.front().begin(), queue.front().end()));
  }
}

}  // namespace
}  // namespace fieldpost
