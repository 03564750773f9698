// SPDX-License-Identifier: Apache-2.0
// Units, bounds and what is refused.
#include "agent/configuration/quantity.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace fieldpost {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, TakesEveryUnit) {
  EXPECT_EQ(parse_duration("7ns").value(), 7ns);
  EXPECT_EQ(parse_duration("7us").value(), 7us);
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("10s").value(), 10s);
  EXPECT_EQ(parse_duration("5m").value(), 5min);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_duration("30d").value(), std::chrono::days{30});
  EXPECT_EQ(parse_duration("10 s").value(), 10s);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
}

TEST(ParseDuration, RefusesWhatIsNotOne) {
  for (const char* text : {"", "s", "10", "10x", "10S", "-1s", "1.5s", "1h30m", "10s ", " 10s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::Malformed) << text;
  }
  EXPECT_EQ(parse_duration("10").error().sentence(),
            "\"10\" is not a duration such as \"10s\", \"500ms\", \"5m\" or \"30d\"");
}

TEST(ParseDuration, HoldsToTheLimitOfItsTypeAndNotBeyond) {
  EXPECT_EQ(parse_duration("9223372036854775807ns").value(), nanoseconds::max());
  EXPECT_EQ(parse_duration("9223372036854775808ns").error().kind(), ErrorKind::OutOfRange);
  EXPECT_TRUE(parse_duration("106751d"));
  EXPECT_EQ(parse_duration("106752d").error().kind(), ErrorKind::OutOfRange);
}

TEST(ParseSize, TakesEveryUnit) {
  EXPECT_EQ(parse_size("17B").value(), 17);
  EXPECT_EQ(parse_size("1kB").value(), 1'000);
  EXPECT_EQ(parse_size("1KiB").value(), 1'024);
  EXPECT_EQ(parse_size("2MB").value(), 2'000'000);
  EXPECT_EQ(parse_size("256MiB").value(), 256LL << 20);
  EXPECT_EQ(parse_size("3GB").value(), 3'000'000'000);
  EXPECT_EQ(parse_size("3GiB").value(), 3LL << 30);
}

TEST(ParseSize, HoldsToTheLimitOfItsTypeAndNotBeyond) {
  EXPECT_EQ(parse_size("9223372036854775807B").value(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_size("9223372036854775808B").error().kind(), ErrorKind::OutOfRange);
  EXPECT_TRUE(parse_size("8589934591GiB"));
  EXPECT_EQ(parse_size("8589934592GiB").error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(parse_size("256Mib").error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(parse_size("256").error().kind(), ErrorKind::Malformed);
}

TEST(QuantityText, IsTheShortestExactFormAndReadsBack) {
  EXPECT_EQ(to_duration_text(90s), "90s");
  EXPECT_EQ(to_duration_text(120s), "2m");
  EXPECT_EQ(to_duration_text(1500ms), "1500ms");
  EXPECT_EQ(to_duration_text(48h), "2d");
  EXPECT_EQ(to_duration_text(0s), "0s");
  EXPECT_EQ(to_size_text(256LL << 20), "256MiB");
  EXPECT_EQ(to_size_text(1'000'000), "1MB");
  EXPECT_EQ(to_size_text(1'001), "1001B");
  EXPECT_EQ(to_size_text(0), "0B");
  for (const std::int64_t amount : {1LL, 999LL, 86'400'000'000'000LL, 123'456'789LL}) {
    EXPECT_EQ(parse_duration(to_duration_text(nanoseconds{amount})).value().count(), amount);
    EXPECT_EQ(parse_size(to_size_text(amount)).value(), amount);
  }
}

}  // namespace
}  // namespace fieldpost
