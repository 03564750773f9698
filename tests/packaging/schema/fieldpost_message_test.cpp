// SPDX-License-Identifier: Apache-2.0
// The messages that sync writes, of random segments, against the published JSON Schema (validate.py); and
// against the bound by which the store closes its segments.
#include <sys/wait.h>

#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "agent/store/message_size.hpp"
#include "agent/sync/message_json.hpp"
#include "tests/agent/store/random_segment.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kPlenty = 64U << 20U;

/// Of every other boot nothing is known, as of one that never was synchronised.
std::optional<Store::UtcStamp> utc_of(const BootId& boot, BootTime time) {
  if (boot.empty() || boot.front() < '8') return std::nullopt;
  constexpr nanoseconds kOffset{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}.time_since_epoch()};
  return Store::UtcStamp{UtcTime{kOffset + time.time_since_epoch()}, milliseconds{3}, true};
}

std::string message_of(const RandomSegment& made) {
  return to_json_message("gateway-1", made.header, made.content, utc_of, kPlenty).value();
}

TEST(PublishedSchema, HoldsForMessagesOfRandomSegments) {
  const std::uint64_t seed = std::random_device{}();
  std::string lines;
  for (std::uint64_t i = 0; i < 150; ++i) lines += message_of(random_plain_segment(seed + i)) + "\n";
  const TemporaryDirectory directory;
  directory.write("messages", lines);
  const std::string command =
      "/usr/bin/python3 " FIELDPOST_TESTS_DIRECTORY "/packaging/schema/validate.py " + directory.file("messages");
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): a program of ours, by its full path
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no python3-jsonschema here";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "seed " << seed;
}

TEST(MessageBytesBound, IsNeverBelowTheMessage) {
  const std::uint64_t seed = std::random_device{}();
  std::size_t bounds = 0;
  std::size_t messages = 0;
  for (std::uint64_t i = 0; i < 1'500; ++i) {
    const RandomSegment made = random_plain_segment(seed + i);
    std::vector<const Series*> series;
    for (const Series& one : made.content.series) series.push_back(&one);
    const std::size_t bound = message_bytes_bound(
        made.header.first, {.series = series, .samples = made.content.samples, .summaries = made.content.summaries,
                            .events = made.content.events, .gaps = made.content.gaps});
    const std::size_t bytes = message_of(made).size();
    ASSERT_LE(bytes, bound) << "seed " << seed + i;
    bounds += bound;
    messages += bytes;
  }
  RecordProperty("bound_over_message_percent", std::to_string(100 * bounds / messages));
  EXPECT_LE(bounds, 4 * messages) << "segments would fill a message too little";
}

}  // namespace
}  // namespace fieldpost
