// SPDX-License-Identifier: Apache-2.0
#include "hal/text_scanner.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(TextScanner, ReadsNumbersAfterBlanksAndStopsAtTheLine) {
  TextScanner scan{" 12\t 7\n8\n"};
  EXPECT_EQ(scan.number(), 12U);
  EXPECT_EQ(scan.number(), 7U);
  EXPECT_EQ(scan.number(), std::nullopt) << "does not go on to the next line";
  scan.skip_line();
  EXPECT_EQ(scan.number(), 8U);
}

TEST(TextScanner, TakesTheLargestNumberAndRefusesOneMore) {
  EXPECT_EQ(TextScanner{"18446744073709551615\n"}.number(), 18446744073709551615U);
  EXPECT_EQ(TextScanner{"18446744073709551616\n"}.number(), std::nullopt);
  EXPECT_EQ(TextScanner{"99999999999999999999999999\n"}.number(), std::nullopt);
  EXPECT_EQ(TextScanner{"00000000000000000000000012\n"}.number(), 12U);
}

TEST(TextScanner, DoesNotBelieveANumberThatMayHaveBeenCut) {
  EXPECT_EQ(TextScanner{"123"}.number(), std::nullopt);
  EXPECT_EQ(TextScanner{""}.number(), std::nullopt);
  EXPECT_EQ(TextScanner{"x\n"}.number(), std::nullopt);
  EXPECT_EQ(TextScanner{"-5\n"}.number(), std::nullopt);
}

TEST(TextScanner, ReadsDecimalsToTheNearestDouble) {
  EXPECT_EQ(TextScanner{"0.42 "}.decimal(), 0.42);
  EXPECT_EQ(TextScanner{"250123.45 "}.decimal(), 250123.45);
  EXPECT_EQ(TextScanner{"7\n"}.decimal(), 7.0);
  EXPECT_EQ(TextScanner{"7.\n"}.decimal(), std::nullopt);
  EXPECT_EQ(TextScanner{"7.1"}.decimal(), std::nullopt) << "cut";
  EXPECT_EQ(TextScanner{"0.1234567890\n"}.decimal(), std::nullopt) << "more digits than are exact";
}

TEST(TextScanner, FindsAWordUpToACharacterOfTheSameLineOnly) {
  TextScanner scan{"MemTotal: 5\nno colon\nlast"};
  EXPECT_EQ(scan.word_until(':'), "MemTotal");
  scan.skip_line();
  EXPECT_EQ(scan.word_until(':'), std::nullopt);
  EXPECT_EQ(scan.word(), "no");
  scan.skip_line();
  EXPECT_EQ(scan.word(), "last");
  EXPECT_TRUE(scan.at_end());
  scan.skip_line();
  EXPECT_TRUE(scan.at_end());
}

TEST(AttributeNumber, IsOneWholeNumberAndNothingElse) {
  EXPECT_EQ(attribute_number("25500\n"), 25500);
  EXPECT_EQ(attribute_number("-12500\n"), -12500);
  EXPECT_EQ(attribute_number("7"), 7);
  EXPECT_EQ(attribute_number(""), std::nullopt) << "an unplugged sensor, not 0 degrees";
  EXPECT_EQ(attribute_number("\n"), std::nullopt);
  EXPECT_EQ(attribute_number("-\n"), std::nullopt);
  EXPECT_EQ(attribute_number("1 2\n"), std::nullopt);
  EXPECT_EQ(attribute_number("0x1f\n"), std::nullopt);
  EXPECT_EQ(attribute_number("9999999999999999999999\n"), std::nullopt);
}

}  // namespace
}  // namespace fieldpost
