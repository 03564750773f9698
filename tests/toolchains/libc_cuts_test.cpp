// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <initializer_list>

extern "C" {
int __wrap___isoc99_sscanf(const char* text, const char* format, ...);
int __wrap_strncmp(const char* a, const char* b, std::size_t count);
int __wrap_strcasecmp(const char* a, const char* b);
int __wrap_strncasecmp(const char* a, const char* b, std::size_t count);
}

namespace {

int sign(int number) { return (number > 0) - (number < 0); }

// The three formats are those of glibc's reader of TZ, word for word.
TEST(LibcCuts, ReadsATimeOfDayAsScanfDoes) {
  for (const char* text : {"2", "2:30", "2:30:15", "02:5,x", "", "x", "2:", "2:x", " 7", "+3:1"}) {
    unsigned short ours[3] = {9, 9, 9};
    unsigned short theirs[3] = {9, 9, 9};
    int our_end = -1;
    int their_end = -1;
    const char* format = "%hu%n:%hu%n:%hu%n";
    EXPECT_EQ(__wrap___isoc99_sscanf(text, format, &ours[0], &our_end, &ours[1], &our_end, &ours[2], &our_end),
              std::sscanf(text, "%hu%n:%hu%n:%hu%n", &theirs[0], &their_end, &theirs[1], &their_end, &theirs[2], &their_end))
        << text;
    EXPECT_EQ(our_end, their_end) << text;
    EXPECT_EQ(0, std::memcmp(ours, theirs, sizeof ours)) << text;
  }
}

TEST(LibcCuts, ReadsARuleOfSummerTime) {
  unsigned short month = 0;
  unsigned short week = 0;
  unsigned short day = 9;
  int end = 0;
  EXPECT_EQ(__wrap___isoc99_sscanf("M10.5.0/3", "M%hu.%hu.%hu%n", &month, &week, &day, &end), 3);
  EXPECT_EQ(month, 10);
  EXPECT_EQ(week, 5);
  EXPECT_EQ(day, 0);
  EXPECT_EQ(end, 7);
  EXPECT_EQ(__wrap___isoc99_sscanf("J60", "M%hu.%hu.%hu%n", &month, &week, &day, &end), 0);
}

TEST(LibcCuts, ReadsBackWhatCJsonWrote) {
  double number = 0;
  EXPECT_EQ(__wrap___isoc99_sscanf("0.1000000000000001", "%lg", &number), 1);
  EXPECT_EQ(number, 0.1000000000000001);
  EXPECT_EQ(__wrap___isoc99_sscanf("-1.5e-300", "%lg", &number), 1);
  EXPECT_EQ(number, -1.5e-300);
  EXPECT_EQ(__wrap___isoc99_sscanf("x", "%lg", &number), 0);
}

TEST(LibcCuts, ComparesAsTheCLibrary) {
  const char* const kTexts[] = {"", "a", "A", "ab", "aB", "abc", "b", "\xc3\xa4", "\xc3\x84", "[", "z", "Z", "@"};
  for (const char* a : kTexts) {
    for (const char* b : kTexts) {
      EXPECT_EQ(sign(__wrap_strcasecmp(a, b)), sign(::strcasecmp(a, b))) << a << " " << b;
      for (const std::size_t count : {0U, 1U, 2U, 9U}) {
        EXPECT_EQ(sign(__wrap_strncmp(a, b, count)), sign(std::strncmp(a, b, count))) << a << " " << b;
        EXPECT_EQ(sign(__wrap_strncasecmp(a, b, count)), sign(::strncasecmp(a, b, count))) << a << " " << b;
      }
    }
  }
}

}  // namespace
