// SPDX-License-Identifier: Apache-2.0
#include "hal/steady_rows.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

class SteadyRowsTest : public ::testing::Test {
 protected:
  void pass(const std::vector<std::string>& keys) {
    rows.rewind();
    for (const auto& key : keys) {
      EXPECT_EQ(rows.row(key, [this](std::string_view made) { ++makes; return std::string{made}; }), key);
    }
  }
  SteadyRows<std::string> rows;
  int makes = 0;
};

TEST_F(SteadyRowsTest, MakeEachRowOnce) {
  pass({"a", "b", "c"});
  pass({"a", "b", "c"});
  EXPECT_EQ(makes, 3);
}

TEST_F(SteadyRowsTest, FindRowsThatComeGoAndChangeTheirOrder) {
  pass({"a", "b", "c"});
  pass({"a", "c"});
  pass({"c", "b", "a", "d"});
  pass({"d", "d", "a"});
  EXPECT_EQ(makes, 4);
}

TEST_F(SteadyRowsTest, ForgetRowsLongGone) {
  for (int i = 0; i < 1000; ++i) pass({"eth0", "veth" + std::to_string(i)});
  EXPECT_LT(rows.size(), 30U);
}

}  // namespace
}  // namespace fieldpost
