// SPDX-License-Identifier: Apache-2.0
// RFC 8259, production by production: what is taken, what is refused, and at which byte.
#include "platform/json_grammar.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace fieldpost {
namespace {

constexpr JsonBounds kBounds{.text_bytes_max = 1000, .values_max = 50, .depth_max = 5};

TEST(JsonGrammar, TakesWhatTheRfcTakes) {
  const std::vector<std::string_view> right{
      "0",
      "-0",
      "12",
      "-3.25e+10",
      "1E5",
      "0.5",
      "true",
      "false",
      "null",
      " \t\r\n1 \t\r\n",
      R"("")",
      R"("\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00")",
      "\"caf\xC3\xA9\"",
      "\"\x7F\"",
      "[]",
      "{}",
      "[ ]",
      "{ }",
      "[1,2,3]",
      "[[],[[]],{}]",
      R"({"a":1})",
      R"({"a":{"b":[{},{"c":null}]},"d":[]})",
      "[[[[[]]]]]",
      R"( { "a" : [ 1 , 2 ] , "b" : { } } )",
  };
  for (const auto text : right) {
    const auto checked = check_json_grammar(text, kBounds);
    EXPECT_TRUE(checked) << text << ": " << (checked ? "" : checked.error().sentence());
  }
}

TEST(JsonGrammar, RefusesEverythingElse) {
  using namespace std::string_view_literals;
  const std::vector<std::string_view> wrong{
      "",
      " ",
      "01",
      "-",
      "+1",
      "1.",
      ".5",
      "1e",
      "1e+",
      "0x10",
      "NaN",
      "Infinity",
      "-Infinity",
      "True",
      "nul",
      "'a'",
      "[",
      "]",
      "{",
      "}",
      "[1",
      "[1,",
      "[1,]",
      "[,1]",
      "[1 2]",
      "[1}",
      "{1}",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\":1,}",
      "{\"a\":1]",
      "{a:1}",
      "{,}",
      "{\"a\" 1}",
      "1 2",
      "[] []",
      "{}x",
      "\"abc",
      "\"\\\"",
      "\"\\x\"",
      "\"\\u12\"",
      "\"\\u12G4\"",
      "\"\t\"",
      "\"\n\"",
      "\"\\",
      "/* c */ 1",
      "1 // c",
      "\"\xE9\"",
      "\"\xED\xA0\x80\"",
      "\xEF\xBB\xBF 1",
      "\"a\0b\""sv,
      "1\0"sv,
      "\0"sv,
      "[1,\0]"sv,
      "\"\\u0000\"",
      "\"\\uD800\"",
      "\"\\uDC00\"",
      "\"\\uD800\\u0041\"",
      "\"\\uD800x\"",
      "\"\\uD83D\\",
  };
  for (const auto text : wrong) {
    const auto checked = check_json_grammar(text, kBounds);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().kind(), ErrorKind::Malformed) << text;
  }
}

TEST(JsonGrammar, SaysWhere) {
  EXPECT_EQ(check_json_grammar(R"({"a":1,"b":tru})", kBounds).error().sentence(),
            "JSON, byte 11: expected a value");
  EXPECT_EQ(check_json_grammar("[1 2]", kBounds).error().sentence(), "JSON, byte 3: expected , or ]");
}

TEST(JsonGrammar, BoundsTheDepthExactly) {
  EXPECT_TRUE(check_json_grammar("[[[[[1]]]]]", kBounds));
  const auto deeper = check_json_grammar("[[[[[[1]]]]]]", kBounds);
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().kind(), ErrorKind::OutOfRange);
  EXPECT_EQ(check_json_grammar("[[[[[{}]]]]]", kBounds).error().kind(), ErrorKind::OutOfRange);
}

TEST(JsonGrammar, DepthIsThatOfBracketsOpenNotOfBracketsSeen) {
  EXPECT_TRUE(check_json_grammar("[[],[],[],[],[],[],[],[]]", kBounds));
}

TEST(JsonGrammar, BoundsTheValuesExactly) {
  std::string most = "[0";  // the array is one, too
  for (std::size_t i = 2; i < kBounds.values_max; ++i) most += ",0";
  EXPECT_TRUE(check_json_grammar(most + "]", kBounds));
  const auto more = check_json_grammar(most + ",0]", kBounds);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().kind(), ErrorKind::OutOfRange);
}

TEST(JsonGrammar, BoundsTheSizeExactly) {
  const std::string most = '"' + std::string(kBounds.text_bytes_max - 2, 'x') + '"';
  EXPECT_TRUE(check_json_grammar(most, kBounds));
  const auto more = check_json_grammar(" " + most, kBounds);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().kind(), ErrorKind::OutOfRange);
}

}  // namespace
}  // namespace fieldpost
