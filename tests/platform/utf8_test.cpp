// SPDX-License-Identifier: Apache-2.0
// The rows of Unicode's table 3-7, and what lies just outside each.
#include "platform/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

TEST(Utf8, AcceptsTheFirstAndLastCharacterOfEachLength) {
  for (const std::string& text :
       {std::string{"\x7F"}, std::string{"\xC2\x80"}, std::string{"\xDF\xBF"}, std::string{"\xE0\xA0\x80"},
        std::string{"\xED\x9F\xBF"}, std::string{"\xEE\x80\x80"}, std::string{"\xEF\xBF\xBF"},
        std::string{"\xF0\x90\x80\x80"}, std::string{"\xF4\x8F\xBF\xBF"}}) {
    EXPECT_EQ(utf8_character_bytes(text), text.size());
    EXPECT_TRUE(is_utf8(text));
  }
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndWhatLiesBeyond) {
  const std::vector<std::string> wrong{
      "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",     "\xED\xA0\x80",
      "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
      "\xC2",         "\xE2\x82",         "\xF0\x9F\x98",     "\xC2\x41",         "\xE2\x28\xA1",
      "\xE2\x82\x28", "\xF0\x9F\x98\x41",
  };
  for (const auto& text : wrong) {
    EXPECT_EQ(utf8_character_bytes(text), 0U) << text.size();
    EXPECT_FALSE(is_utf8(text));
  }
  EXPECT_EQ(utf8_character_bytes(""), 0U);
}

TEST(Utf8, EmptyTextIsFine) { EXPECT_TRUE(is_utf8("")); }

TEST(Utf8, ReplacesEachBadByteAndKeepsTheRest) {
  EXPECT_EQ(to_utf8("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(to_utf8("caf\xE9!"), "caf\xEF\xBF\xBD!");
  EXPECT_EQ(to_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_TRUE(is_utf8(to_utf8("\xFF\xFE\x00\x80")));
}

}  // namespace
}  // namespace fieldpost
