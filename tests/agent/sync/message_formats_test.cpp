// SPDX-License-Identifier: Apache-2.0
// Random segments in SenML (both forms) and Sparkplug B, whole and in parts, read by decoders that are not ours and compared
// with the JSON message, reading by reading (compare_formats.py).
#include <sys/wait.h>

#include <cstdlib>
#include <random>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "agent/sync/message_senml.hpp"
#include "agent/sync/payload.hpp"
#include "agent/sync/sparkplug_metrics.hpp"
#include "tests/agent/store/random_segment.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kPlenty = 64U << 20U;
constexpr std::string_view kDevice = "gateway-1";

/// Of every other boot nothing is known, as of one that never was synchronised.
std::optional<Store::UtcStamp> utc_of(const BootId& boot, BootTime time) {
  if (boot.empty() || boot.front() < '8') return std::nullopt;
  constexpr nanoseconds kOffset{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}.time_since_epoch()};
  return Store::UtcStamp{UtcTime{kOffset + time.time_since_epoch()}, milliseconds{3}, true};
}

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4U];
    text += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return text;
}

void write_list(JsonWriter& json, std::string_view name, const Payload& payload) {
  json.key(name).begin_array().value(hexadecimal(payload.bytes));
  for (const std::string& part : payload.further) json.value(hexadecimal(part));
  json.end_array();
}

class Formats {
 public:
  explicit Formats(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  /// A line for compare_formats.py.
  std::string line(const RandomSegment& made) {
    OutgoingSegment segment;
    segment.header = made.header;
    segment.bytes = encode_segment(made.header, made.content).value();
    JsonWriter json;
    json.begin_object();
    for (const auto& [name, format] : {std::pair{"senml_json", PayloadOptions::Format::senml_json}, std::pair{"senml_cbor", PayloadOptions::Format::senml_cbor}}) {
      write_list(json, name, make_payload({.format = format}, ground_, segment, bytes_max_).value());
    }
    Payload data = metrics_.write_data(segment, ground_, BootTime{}, false, bytes_max_).value();
    json.key("births").begin_array();
    if (metrics_.birth_due()) {
      json.value(hexadecimal(metrics_.write_birth(7)));
      seq_ = 1;
    }
    json.end_array();
    SparkplugMetrics::put_seq(data.bytes, seq_++);
    for (std::string& part : data.further) SparkplugMetrics::put_seq(part, seq_++);
    parts_max = std::max(parts_max, data.further.size());
    write_list(json, "data", data);
    json.end_object();
    std::string text = std::move(json).take();
    text.back() = ',';
    return text + "\"json\":" + to_json_message(kDevice, made.header, made.content, utc_of_, kPlenty).value() + "}\n";
  }

  std::size_t parts_max = 0;

 private:
  std::size_t bytes_max_;
  const UtcOf utc_of_ = utc_of;
  const ManualClock clock_;
  const MessageGround ground_{kDevice, utc_of_, clock_};
  SparkplugMetrics metrics_{clock_};
  std::uint8_t seq_ = 1;
};

/// True unless the decoders are not installed here.
bool compared_well(const std::string& lines) {
  const TemporaryDirectory directory;
  directory.write("messages", lines);
  const std::string command = "/usr/bin/python3 " FIELDPOST_TESTS_DIRECTORY "/agent/sync/compare_formats.py " + directory.file("messages");
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c): a program of ours, by its full path
  EXPECT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) return false;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return true;
}

TEST(MessageFormats, SayWhatTheJsonMessageSays) {
  const std::uint64_t seed = std::random_device{}();
  Formats formats{kPlenty};
  std::string lines;
  for (std::uint64_t i = 0; i < 25; ++i) lines += formats.line(random_plain_segment(seed + i));
  SCOPED_TRACE(seed);
  if (!compared_well(lines)) GTEST_SKIP() << "python3-cbor2, python3-protobuf and protobuf-compiler are not all here";
}

TEST(MessageFormats, SayTheSameInParts) {
  const std::uint64_t seed = std::random_device{}();
  Formats formats{4'000};
  std::string lines;
  for (std::uint64_t i = 0; i < 25; ++i) lines += formats.line(random_plain_segment(seed + i));
  EXPECT_GT(formats.parts_max, 1U);
  SCOPED_TRACE(seed);
  if (!compared_well(lines)) GTEST_SKIP() << "python3-cbor2, python3-protobuf and protobuf-compiler are not all here";
}

}  // namespace
}  // namespace fieldpost
