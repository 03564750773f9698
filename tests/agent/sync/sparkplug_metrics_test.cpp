// SPDX-License-Identifier: Apache-2.0
// When a birth is due, and what an NCMD says. What births and data bear is judged by a host of another hand:
// message_formats_test.cpp, tests/end_to_end/test_sparkplug.py.
#include "agent/sync/sparkplug_metrics.hpp"

#include <random>

#include <gtest/gtest.h>

#include "agent/sync/protobuf.hpp"
#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

const UtcOf kUnknown = [](const BootId&, BootTime) { return std::nullopt; };

std::string command(std::string_view name, bool flag) {
  std::string metric;
  protobuf::put_bytes(metric, 1, name);
  protobuf::put_number(metric, 14, flag ? 1 : 0);
  std::string payload;
  protobuf::put_number(payload, 1, 1'767'225'600'000);
  protobuf::put_bytes(payload, 2, metric);
  return payload;
}

class SparkplugMetricsTest : public testing::Test {
 protected:
  OutgoingSegment segment_of(const std::string& series, std::initializer_list<Value> values) {
    OutgoingSegment segment;
    segment.header.boot = clock_.boot_id();
    segment.header.first = segment.header.last = clock_.now();
    segment.header.samples = static_cast<std::uint32_t>(values.size());
    SegmentContent content;
    content.series.emplace_back().name = series;
    for (const Value& value : values) content.samples.push_back({SeriesId{}, value, clock_.now()});
    segment.bytes = encode_segment(segment.header, content).value();
    return segment;
  }
  std::string data_of(const std::string& series, std::initializer_list<Value> values, std::size_t bytes_max = 100'000) {
    return metrics_.write_data(segment_of(series, values), {"gw", kUnknown, clock_}, clock_.now(), false, bytes_max).value().bytes;
  }

  ManualClock clock_;
  SparkplugMetrics metrics_{clock_};
};

TEST_F(SparkplugMetricsTest, BirthIsDueAtFirstForANewMetricAndWhenAsked) {
  EXPECT_TRUE(metrics_.birth_due());
  metrics_.write_birth(0);
  EXPECT_FALSE(metrics_.birth_due());
  data_of("a", {1});
  EXPECT_TRUE(metrics_.birth_due());
  EXPECT_NE(metrics_.write_birth(0).find("\x0A\x01""a"), std::string::npos);
  data_of("a", {2});
  EXPECT_FALSE(metrics_.birth_due());
  metrics_.ask_for_birth();
  EXPECT_TRUE(metrics_.birth_due());
}

TEST_F(SparkplugMetricsTest, AMetricThatOnceWasNoIntegerStaysADouble) {
  data_of("a", {1});
  metrics_.write_birth(0);
  const std::string mixed = data_of("a", {1, 0.5});
  EXPECT_TRUE(metrics_.birth_due());
  metrics_.write_birth(0);
  std::string one;
  protobuf::put_double(one, 13, 1);
  EXPECT_NE(mixed.find(one), std::string::npos) << "also what came before it in the same message";
  data_of("a", {2});
  EXPECT_FALSE(metrics_.birth_due());
}

TEST_F(SparkplugMetricsTest, BirthBearsTheLatestValueAndNoHistoricalOne) {
  data_of("a", {4711});
  metrics_.write_data(segment_of("a", {815}), {"gw", kUnknown, clock_}, clock_.now(), true, 100'000).value();
  const std::string birth = metrics_.write_birth(0);
  std::string latest;
  protobuf::put_number(latest, 11, 4711);
  EXPECT_NE(birth.find(latest), std::string::npos);
}

TEST_F(SparkplugMetricsTest, ForgetsAllButWhatEveryMessageTells) {
  const std::size_t own = metrics_.size();
  data_of("a", {1});
  EXPECT_EQ(metrics_.size(), own + 1);
  metrics_.write_birth(0);
  metrics_.forget();
  EXPECT_EQ(metrics_.size(), own);
  EXPECT_TRUE(metrics_.birth_due());
}

TEST(SparkplugCommand, AsksForARebirthOnlyWhereItIsTrue) {
  EXPECT_TRUE(asks_for_rebirth(command("Node Control/Rebirth", true)));
  EXPECT_FALSE(asks_for_rebirth(command("Node Control/Rebirth", false)));
  EXPECT_FALSE(asks_for_rebirth(command("Node Control/Reboot", true)));
  EXPECT_TRUE(asks_for_rebirth(command("Node Control/Reboot", true) + command("Node Control/Rebirth", true)));
  EXPECT_FALSE(asks_for_rebirth(""));
}

TEST(SparkplugCommand, IsUnderstoodAsEclipseTahuWritesIt) {
  // sparkplug-payload 1.0.3, encodePayload() of one metric of type Boolean.
  const std::string payload{"\x08\xE0\xFE\xAD\xE1\x9F\x34\x12\x1A\x0A\x14Node Control/Rebirth\x20\x0B\x70\x01"};
  EXPECT_TRUE(asks_for_rebirth(payload));
}

TEST(SparkplugCommand, ReadsAnyBytesToAnEnd) {
  std::mt19937_64 chance{std::random_device{}()};
  const std::string right = command("Node Control/Rebirth", true);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = right.substr(0, chance() % (right.size() + 1));
    if (!bytes.empty()) bytes[chance() % bytes.size()] = static_cast<char>(chance());
    asks_for_rebirth(bytes);
  }
}

}  // namespace
}  // namespace fieldpost
