// SPDX-License-Identifier: Apache-2.0
// The reference decoder in Python reads what the agent writes: random segments, compared bit by bit by
// compare.py, which says what differs.
#include <sys/wait.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "platform/json.hpp"
#include "tests/agent/store/random_segment.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr int kSegments = 120;

/// Bytes as hexadecimal: names may hold any, and JSON may not.
std::string hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    digits += two;
  }
  return digits;
}

/// "i" and the number, or "r" and the bits of the double.
std::string exact(const Value& value) {
  if (value.is_integer()) return "i" + std::to_string(value.integer());
  return "r" + std::to_string(std::bit_cast<std::uint64_t>(value.real()));
}

std::string exact(BootTime time) { return std::to_string(time.time_since_epoch().count()); }

void write_labels(JsonWriter& json, const std::vector<Label>& labels) {
  json.key("labels").begin_array();
  for (const Label& label : labels) json.begin_array().value(hex(label.name)).value(hex(label.value)).end_array();
  json.end_array();
}

void write_summary(JsonWriter& json, const Summary& summary) {
  json.begin_object().member("series", index(summary.series)).member("start", exact(summary.start));
  json.member("end", exact(summary.end)).member("count", summary.count).member("resets", summary.resets);
  json.member("quality", static_cast<int>(summary.quality));
  json.member("min", exact(summary.min)).member("last", exact(summary.last)).member("max", exact(summary.max));
  json.member("sum", exact(Value{summary.sum})).member("stddev", exact(Value{summary.stddev}));
  json.member("increase", summary.increase ? exact(Value{*summary.increase}) : std::string{});
  json.key("quantiles").begin_array();
  for (const Quantile& quantile : summary.quantiles) {
    json.begin_array().value(exact(Value{quantile.rank})).value(exact(Value{quantile.value})).end_array();
  }
  json.end_array().end_object();
}

std::string description(const RandomSegment& segment) {
  JsonWriter json;
  const SegmentHeader& header = segment.header;
  json.begin_object().member("epoch", to_text(header.epoch)).member("seq", std::to_string(header.seq));
  json.member("first_seq", std::to_string(header.first_seq)).member("thinned", header.is_thinned);
  json.key("part").begin_array();
  if (const auto& part = header.part; part.of > 0) {
    json.value(std::to_string(part.first_seq)).value(std::to_string(part.last_seq)).value(int{part.number}).value(int{part.of});
  }
  json.end_array();
  json.key("lane").value(to_string(header.lane));
  json.member("boot", header.boot).member("first", exact(header.first)).member("last", exact(header.last));
  json.key("series").begin_array();
  for (const Series& series : segment.content.series) {
    json.begin_object().member("name", hex(series.name)).member("unit", hex(series.unit));
    json.key("kind").value(to_string(series.kind));
    write_labels(json, series.labels);
    json.end_object();
  }
  json.end_array().key("samples").begin_array();
  for (const Sample& sample : segment.content.samples) {
    json.begin_array().value(index(sample.series)).value(exact(sample.time)).value(exact(sample.value));
    json.value(static_cast<int>(sample.quality)).end_array();
  }
  json.end_array().key("summaries").begin_array();
  for (const Summary& summary : segment.content.summaries) write_summary(json, summary);
  json.end_array().key("events").begin_array();
  for (const Event& event : segment.content.events) {
    json.begin_object().member("name", hex(event.name)).member("message", hex(event.message));
    json.key("severity").value(to_string(event.severity));
    json.member("time", exact(event.time)).member("value", exact(Value{event.value}));
    write_labels(json, event.labels);
    json.end_object();
  }
  json.end_array().key("gaps").begin_array();
  for (const Gap& gap : segment.content.gaps) {
    json.begin_object().key("cause").value(to_string(gap.cause));
    json.key("lane").value(to_string(gap.lane));
    json.member("readings", std::to_string(gap.readings)).member("epoch", std::to_string(gap.epoch));
    json.member("first_seq", std::to_string(gap.first_seq)).member("last_seq", std::to_string(gap.last_seq));
    json.member("boot", hex(gap.boot)).member("first", exact(gap.first)).member("last", exact(gap.last));
    json.end_object();
  }
  json.end_array().end_object();
  return std::move(json).take();
}

TEST(ReferenceDecoder, ReadsWhatTheAgentWritesBitByBit) {
  const std::uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  const TemporaryDirectory directory;
  for (int i = 0; i < kSegments; ++i) {
    const RandomSegment made = random_segment(seed + static_cast<std::uint64_t>(i));
    const auto bytes = encode_segment(made.header, made.content);
    ASSERT_TRUE(bytes) << bytes.error().sentence();
    std::string text;
    for (const std::byte byte : *bytes) text += static_cast<char>(byte);
    directory.write(std::to_string(i) + ".segment", text);
    directory.write(std::to_string(i) + ".json", description(made));
  }
  const std::string command = "/usr/bin/python3 " FIELDPOST_TESTS_DIRECTORY "/packaging/decoders/compare.py " + directory.path();
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): a program of ours, by its full path
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no zstd for Python here (zstd, python3-zstandard or Python 3.14)";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "seed " << seed;
}

}  // namespace
}  // namespace fieldpost
