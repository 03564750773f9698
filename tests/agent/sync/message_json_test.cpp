// SPDX-License-Identifier: Apache-2.0
// The message of a segment, byte for byte; that it obeys the published schema is shown by test_schema.py.
#include "agent/sync/message_json.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "agent/store/message_size.hpp"
#include "tests/agent/store/random_segment.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kPlenty = 100'000;

BootTime at_ms(std::int64_t ms) { return BootTime{milliseconds{ms}}; }

Series series(std::string name, SeriesKind kind = SeriesKind::gauge) {
  Series made;
  made.name = std::move(name);
  made.kind = kind;
  return made;
}

SegmentHeader header_of_live_segment() {
  SegmentHeader header;
  header.epoch = 0xabc;
  header.seq = 7;
  header.lane = Lane::live;
  header.boot = "boot-1";
  header.first = at_ms(5'000);
  return header;
}

std::optional<Store::UtcStamp> unknown_utc(const BootId&, BootTime) { return std::nullopt; }

std::string message(const SegmentContent& content, const UtcOf& utc_of = unknown_utc) {
  const auto text = to_json_message("gw", header_of_live_segment(), content, utc_of, kPlenty);
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

constexpr std::string_view kUnknownTime =
    R"({"v":1,"device":"gw","epoch":"0000000000000abc","seq":7,"lane":"live","boot":"boot-1",)"
    R"("time":{"boot_ms":5000,"start":null,"error_ms":null,"trusted":false})";

TEST(MessageJson, SharesOneVectorOfTimesBetweenSeriesOfTheSameTick) {
  SegmentContent content;
  content.series = {series("a"), series("b"), series("c")};
  for (const unsigned i : {0U, 1U}) {
    content.samples.push_back({SeriesId{i}, 1.5, at_ms(5'000)});
    content.samples.push_back({SeriesId{i}, 2, at_ms(6'000)});
  }
  content.samples.push_back({SeriesId{2}, 3, at_ms(6'500)});
  EXPECT_EQ(message(content),
            std::string{kUnknownTime} +
                R"(,"series":[{"name":"a","labels":{},"unit":"","kind":"gauge","samples":{"t":0,"v":[1.5,2]}},)"
                R"({"name":"b","labels":{},"unit":"","kind":"gauge","samples":{"t":0,"v":[1.5,2]}},)"
                R"({"name":"c","labels":{},"unit":"","kind":"gauge","samples":{"t":1,"v":[3]}}],)"
                R"("times":[[0,1000],[1500]]})");
}

TEST(MessageJson, WritesValuesThatJsonNumbersCannotHoldAsText) {
  SegmentContent content;
  content.series = {series("a")};
  const double inf = std::numeric_limits<double>::infinity();
  const std::int64_t exact = 1LL << 53;
  for (const Value& value : {Value{exact}, Value{exact + 1}, Value{-exact - 1},
                             Value{std::numeric_limits<std::int64_t>::min()}, Value{std::nan("")},
                             Value{inf}, Value{-inf}}) {
    content.samples.push_back({SeriesId{0}, value, at_ms(5'000)});
  }
  EXPECT_NE(message(content).find(R"("v":[9007199254740992,"9007199254740993","-9007199254740993",)"
                                  R"("-9223372036854775808","NaN","+Inf","-Inf"])"),
            std::string::npos)
      << message(content);
}

TEST(MessageJson, SaysHowGoodSamplesAreOnlyWhenOneIsNotGood) {
  SegmentContent content;
  content.series = {series("a")};
  content.samples = {{SeriesId{0}, 1, at_ms(5'000)}, {SeriesId{0}, 2, at_ms(6'000)}};
  EXPECT_EQ(message(content).find("\"q\""), std::string::npos);
  content.samples[1].quality = Quality::suspect;
  EXPECT_NE(message(content).find(R"("q":[0,1])"), std::string::npos);
}

TEST(MessageJson, WritesSummariesAsColumnsWithTheQuantilesThatWereAskedFor) {
  SegmentContent content;
  content.series = {series("c", SeriesKind::counter)};
  Summary summary;
  summary.start = at_ms(5'000);
  summary.end = at_ms(15'000);
  summary.count = 4;
  summary.min = 1;
  summary.max = 4;
  summary.last = 4;
  summary.sum = 10;
  summary.stddev = 1.25;
  summary.quantiles = {{0.5, 2}, {0.999, 4}};
  summary.increase = 3;
  content.summaries = {summary};
  EXPECT_NE(message(content).find(
                R"("summaries":{"start":0,"end":1,"count":[4],"min":[1],"max":[4],"mean":[2.5],"last":[4],)"
                R"("stddev":[1.25],"p50":[2],"p99.9":[4],"increase":[3],"resets":[0]}}],"times":[[0],[10000]])"),
            std::string::npos)
      << message(content);
}

TEST(MessageJson, LeavesAQuantileNullWhereAWindowHasNone) {
  SegmentContent content;
  content.series = {series("a")};
  Summary with;
  with.count = 1;
  with.quantiles = {{0.95, 2}};
  Summary without;
  without.count = 1;
  content.summaries = {with, without};
  EXPECT_NE(message(content).find(R"("p95":[2,null])"), std::string::npos) << message(content);
}

TEST(MessageJson, StampsUtcWithItsErrorAndTrust) {
  const UtcTime utc = std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + milliseconds{1'250};
  const auto utc_of = [utc](const BootId&, BootTime) {
    return Store::UtcStamp{utc, std::chrono::microseconds{1'500}, true};
  };
  EXPECT_NE(message({}, utc_of).find(
                R"("time":{"boot_ms":5000,"start":"2026-11-20T00:00:01.250Z","error_ms":2,"trusted":true})"),
            std::string::npos)
      << message({}, utc_of);
}

TEST(MessageJson, TellsTheLargestErrorOfItsReadingsTimes) {
  // Synchronised at its beginning, free-running at its end.
  const auto utc_of = [](const BootId&, BootTime time) {
    return Store::UtcStamp{UtcTime{}, time > header_of_live_segment().first ? milliseconds{700} : milliseconds{5}, true};
  };
  SegmentHeader header = header_of_live_segment();
  header.last = header.first + std::chrono::hours{1};
  EXPECT_NE(to_json_message("gw", header, {}, utc_of, kPlenty)->find("\"error_ms\":700,"), std::string::npos);
}

TEST(MessageJson, WritesEventsAndGaps) {
  SegmentContent content;
  Event event;
  event.name = "hot";
  event.labels = {{"chip", "a\"b"}};
  event.severity = Severity::critical;
  event.time = at_ms(5'100);
  event.value = std::nan("");
  event.message = "too hot";
  content.events = {event};
  Gap known;
  known.cause = Gap::Cause::quota;
  known.lane = Lane::bulk;
  known.readings = 12;
  known.first_seq = 3;
  known.last_seq = 4;
  known.epoch = 0xdef;
  known.boot = "boot-0";
  known.first = at_ms(1'000);
  known.last = at_ms(2'000);
  Gap unknown;
  unknown.cause = Gap::Cause::damage;
  unknown.lane = Lane::live;
  content.gaps = {known, unknown};
  EXPECT_EQ(message(content),
            std::string{kUnknownTime} +
                R"(,"events":[{"name":"hot","labels":{"chip":"a\"b"},"severity":"critical","t":100,"value":null,"message":"too hot"}],)"
                R"("gaps":[{"cause":"quota","lane":"bulk","readings":12,"epoch":"0000000000000def","first_seq":3,"last_seq":4,)"
                R"("boot":"boot-0","start_boot_ms":1000,"start":null,"end_boot_ms":2000,"end":null},)"
                R"({"cause":"damage","lane":"live","readings":0,"epoch":null,"first_seq":0,"last_seq":0,)"
                R"("boot":null,"start_boot_ms":null,"start":null,"end_boot_ms":null,"end":null}]})");
}

TEST(MessageJson, RefusesAMessageOneByteLongerThanAllowed) {
  SegmentContent content;
  content.series = {series("a")};
  content.samples = {{SeriesId{0}, 1, at_ms(5'000)}};
  const std::size_t exact = message(content).size();
  const auto header = header_of_live_segment();
  EXPECT_TRUE(to_json_message("gw", header, content, unknown_utc, exact).has_value());
  const auto refused = to_json_message("gw", header, content, unknown_utc, exact - 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), ErrorKind::OutOfRange);
}

/// Every kind of byte that an escape makes longer.
void roughen(std::string& text, std::mt19937_64& chance) {
  constexpr std::string_view kRough = "\x01\x1f\n\"\\\x7f\xff\xc3\xa4/";
  for (char& c : text) {
    if (chance() % 4 == 0) c = kRough[chance() % kRough.size()];
  }
}

TEST(MessageJson, IsNeverLongerThanTheStoreReckonsItCanGet) {
  const auto utc_of = [](const BootId&, BootTime) {
    return Store::UtcStamp{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}, std::chrono::days{3650}, true};
  };
  std::size_t longest_share = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    RandomSegment made = random_plain_segment(seed);
    std::mt19937_64 chance{seed};
    if (seed % 2 == 0) {
      for (Series& one : made.content.series) {
        roughen(one.name, chance);
        roughen(one.unit, chance);
        for (Label& label : one.labels) roughen(label.value, chance);
      }
      for (Event& event : made.content.events) roughen(event.message, chance);
      // Windows of one series that were asked for different quantiles: each writes null where the others have one.
      for (Summary& summary : made.content.summaries) {
        summary.quantiles.clear();
        for (std::uint64_t i = chance() % kSummaryQuantilesMax; i > 0; --i) {
          summary.quantiles.push_back({static_cast<double>(chance() % 1'000'000) / 1e6, std::numeric_limits<double>::lowest()});
        }
      }
    }
    std::vector<const Series*> series;
    for (const Series& one : made.content.series) series.push_back(&one);
    const std::size_t bound = message_bytes_bound(
        made.header.first, {.series = series, .samples = made.content.samples, .summaries = made.content.summaries,
                            .events = made.content.events, .gaps = made.content.gaps});
    const auto text = to_json_message(std::string(256, '"'), made.header, made.content, utc_of, 64U << 20U);
    ASSERT_TRUE(text);
    ASSERT_LE(text->size(), bound) << "seed " << seed;
    longest_share = std::max(longest_share, 100 * text->size() / bound);
  }
  // A bound that is never approached would leave messages half empty.
  EXPECT_GE(longest_share, 70U);
}

}  // namespace
}  // namespace fieldpost
