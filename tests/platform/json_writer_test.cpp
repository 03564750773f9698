// SPDX-License-Identifier: Apache-2.0
// Writing: exact numbers, valid UTF-8 whatever comes in, commas where they belong.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "platform/json.hpp"
#include "platform/utf8.hpp"

namespace fieldpost {
namespace {

template <typename T>
std::string written(const T& value) {
  JsonWriter writer;
  writer.value(value);
  return std::move(writer).take();
}

TEST(JsonWriter, PutsCommasBetweenAndNowhereElse) {
  JsonWriter writer;
  writer.begin_object();
  writer.member("a", 1);
  writer.key("b")
      .begin_array()
      .value(1)
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .value("x")
      .end_array();
  writer.key("c").begin_object().member("d", true).end_object();
  writer.key("e").null();
  writer.end_object();
  EXPECT_EQ(std::move(writer).take(), R"({"a":1,"b":[1,{},[],"x"],"c":{"d":true},"e":null})");
}

TEST(JsonWriter, TakesWhatIsJsonAlready) {
  JsonWriter writer;
  writer.begin_object().key("a").raw(R"({"b":[1]})").key("c").raw("2").end_object();
  EXPECT_EQ(std::move(writer).take(), R"({"a":{"b":[1]},"c":2})");
}

TEST(JsonWriter, WritesWholeNumbersExactly) {
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::max()), "9223372036854775807");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(-1), "-1");
  EXPECT_EQ(written(1U), "1");
}

TEST(JsonWriter, WritesTheShortestTextThatReadsBackTheSame) {
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(23.45), "23.45");
  EXPECT_EQ(written(1e21), "1e+21");
  EXPECT_EQ(written(1.0), "1");
  EXPECT_EQ(written(-0.0), "-0");
  EXPECT_EQ(written(5e-324), "5e-324");
}

TEST(JsonWriter, WritesNoNumberAsNull) {
  EXPECT_EQ(written(std::nan("")), "null");
  EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(written(-std::numeric_limits<double>::infinity()), "null");
}

TEST(JsonWriter, EveryDoubleReadsBackTheSame) {
  const auto seed = std::random_device{}();
  std::mt19937_64 random{seed};
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    const std::string text = written(number);
    const auto json = Json::parse(text);
    ASSERT_TRUE(json) << text << " seed " << seed;
    ASSERT_EQ(json->number(), number) << text << " seed " << seed;
  }
}

TEST(JsonWriter, EscapesWhatJsonEscapes) {
  EXPECT_EQ(written("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(written("\n\t\r"), R"("\n\t\r")");
  EXPECT_EQ(written(std::string_view{"\0\x01\x1F\x7F", 4}), "\"\\u0000\\u0001\\u001f\x7F\"");
}

TEST(JsonWriter, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(written("caf\xC3\xA9 \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
  EXPECT_EQ(written("caf\xE9"), "\"caf\xEF\xBF\xBD\"");
  EXPECT_EQ(written("\xC3"), "\"\xEF\xBF\xBD\"");
  JsonWriter writer;
  writer.begin_object().member("\xFFkey\n", 1).end_object();
  EXPECT_EQ(std::move(writer).take(), "{\"\xEF\xBF\xBDkey\\n\":1}");
}

TEST(JsonWriter, WhateverBytesComeInJsonComesOut) {
  const auto seed = std::random_device{}();
  std::mt19937 random{seed};
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (auto& c : bytes) c = static_cast<char>(random() % 255 + 1);  // \u0000 is not read back by design
    const std::string text = written(bytes);
    const auto json = Json::parse(text);
    ASSERT_TRUE(json) << "seed " << seed;
    EXPECT_EQ(json->string(), to_utf8(bytes)) << "seed " << seed;
  }
}

TEST(JsonWriter, CountsItsBytes) {
  JsonWriter writer;
  writer.begin_array().value(12);
  EXPECT_EQ(writer.bytes(), 3U);
}

TEST(JsonWriterDeathTest, MisuseIsFoundAtOnce) {
  EXPECT_DEATH(JsonWriter{}.key("a"), "a key outside an object");
  EXPECT_DEATH(JsonWriter{}.begin_object().value(1), "a value where a key belongs");
  EXPECT_DEATH(JsonWriter{}.begin_object().end_array(), "no array is open here");
  EXPECT_DEATH(JsonWriter{}.begin_object().key("a").end_object(), "no object is open here");
  EXPECT_DEATH(JsonWriter{}.value(1).value(2), "a value where a key belongs");
}

}  // namespace
}  // namespace fieldpost
