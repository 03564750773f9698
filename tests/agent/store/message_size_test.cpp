// SPDX-License-Identifier: Apache-2.0
// The bound's parts at their edges; that it bounds what the writer writes is shown in tests/agent/sync.
#include "agent/store/message_size.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "agent/store/outbox_database.hpp"
#include "agent/store/store_options.hpp"

namespace fieldpost {
namespace {

std::size_t shortest_text(double real) {
  char text[64];
  return static_cast<std::size_t>(std::to_chars(text, text + sizeof text, real).ptr - text);
}

TEST(MessageSize, BoundsEveryKindOfNumber) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{9}, std::int64_t{-10}, std::int64_t{1} << 53, (std::int64_t{1} << 53) + 1,
                                    std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_GE(message_bytes_bound(Value{number}), std::to_string(number).size() + 2 + 1) << number;  // quotes, comma
  }
  for (const double number : {0.0, -0.0, 0.001, -0.001, 21.5, 1e5, 1e-5, 123456789.125, 999999999.999, 1e300, 5e-324, 0.1 + 0.2, -1.0 / 3,
                              std::numeric_limits<double>::lowest(), std::numeric_limits<double>::min()}) {
    EXPECT_GE(message_bytes_bound(Value{number}), shortest_text(number) + 1) << number;
  }
  for (const double number : {std::nan(""), HUGE_VAL, -HUGE_VAL}) EXPECT_GE(message_bytes_bound(Value{number}), 7U);
}

TEST(MessageSize, ReckonsWithEveryEscape) {
  Series plain;
  plain.name = "nnnn";
  Series escaped;
  escaped.name = "n\x01\"\xff";
  EXPECT_EQ(message_bytes_bound(escaped) - message_bytes_bound(plain), 5U + 1U + 2U);
  plain.labels = {{"l", "v"}};
  Series bare;
  bare.name = "nnnn";
  EXPECT_EQ(message_bytes_bound(plain) - message_bytes_bound(bare), std::string_view{R"("l":"v",)"}.size());
}

TEST(MessageSize, AddsUpWhatAContentHolds) {
  EXPECT_EQ(message_bytes_bound(BootTime{}, {}), kMessageFrameBytes);
  const Event event;
  const Gap gap;
  const SegmentView view{.series = {}, .samples = {}, .summaries = {}, .events = {&event, 1}, .gaps = {&gap, 1}};
  EXPECT_EQ(message_bytes_bound(BootTime{}, view), kMessageFrameBytes + message_bytes_bound(event) + message_bytes_bound(gap));
}

TEST(MessageSize, LetsTheFullestGapReportIntoOneMessage) {
  // A report that is too long would be given up, recorded and made again for ever. Beyond kGapsMax come those
  // that were merged by lane and cause.
  constexpr std::size_t kCauses = 5;
  const std::vector<Gap> gaps(OutboxDatabase::kGapsMax + kCauses * kLanes.size());
  EXPECT_LE(message_bytes_bound(BootTime{}, {.series = {}, .samples = {}, .summaries = {}, .events = {}, .gaps = gaps}),
            StoreOptions{}.message_bytes_max);
}

}  // namespace
}  // namespace fieldpost
